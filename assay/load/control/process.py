"""A Locust process: started, asked, ended."""

import contextlib
import json
import os
import select
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assay.system import processes, redaction
from assay.errors import InputError, MeasureError
from assay.load import protocol
from assay.load.orders import Order, message
from assay.load.protocol import SEPARATOR

IMPORT_TIMEOUT = 30.0
ALONE = "alone"  # a process that has no master and no workers
LAST_LINES = 20  # of the log, which hold a traceback and what was printed before it
LOG = "locust.log"
LOG_LIMIT = 1_000_000  # bytes of a log that are kept: its end

Message = tuple[dict[str, Any], bytes]


class LocustProcess:
    """One Locust process with a channel to it.

    Attributes:
        shape: Name of the locustfile's LoadTestShape; empty if it has none.
    """

    def __init__(
        self,
        locustfile: Path | str,
        folder: Path,
        cores: Sequence[int] = (),
        arguments: Sequence[str] = (),
        role: str = ALONE,
        host: str = "",
        settings: Mapping[str, Any] | None = None,
        cwd: Path | None = None,
        keep: Path | None = None,
    ) -> None:
        """Start the process and import the locustfile in it.

        Args:
            locustfile: An ordinary locustfile; or several, with commas between them,
                or a folder.
            folder: Takes the process's log.
            cores: Cores it is pinned to.
            arguments: For the locustfile, as after `locust -f FILE`.
            role: See `assay.load.inside.__main__`.
            host: What listeners of the locustfile find as the environment's host;
                empty if there is no single one.
            settings: What else they find among Locust's options: `num_users`,
                `spawn_rate`, `run_time`.
            cwd: Where the process runs, as `locust` would; the locustfile's own folder
                if None.
            keep: A folder that keeps the logs, without secrets, when all is over.

        Raises:
            InputError: The locustfile cannot be imported, has no users, or one of its
                listeners fails.
        """
        self.locustfile, self.shape = locustfile, ""
        paths = [os.path.abspath(one) for one in str(locustfile).split(SEPARATOR)]
        self._path = SEPARATOR.join(paths)
        self._folder, self._kept_in = folder, keep
        self._cwd = cwd or Path(paths[0]).parent
        self._settings = {"host": host, **(settings or {})}
        ours, theirs = socket.socketpair()
        self._channel = ours
        descriptor = theirs.fileno()
        self.child = processes.start(
            f"the load generator for {locustfile}",
            argv(self._path, str(descriptor), role, arguments, self._settings),
            log=folder / LOG,
            cwd=self._cwd,
            env=environment(),
            cores=cores,
            pass_fds=[descriptor],
        )
        theirs.close()
        if role == ALONE:  # whoever shares its core does so on purpose
            processes.step_forward(self.child)
        try:
            answer, _ = self._answer(IMPORT_TIMEOUT)
        except BaseException:
            self.close()
            raise
        if "error" in answer:
            self.close()
            raise self._refused(answer)
        self.hello = answer
        self.shape = answer["shape"]

    @property
    def warnings(self) -> list[str]:
        """What of the locustfile has no effect, where Assay decides about the load."""
        if not self.shape:
            return []
        return [
            f"The locustfile's {self.shape} decides nothing here: Assay says how much "
            "load there is."
        ]

    def close(self) -> None:
        """End the process, and keep its log."""
        self._channel.close()
        self.child.wait(2.0)
        self.child.stop(grace=0.5)
        self._keep(self.child)

    def last_lines(self) -> str:
        """Return the last lines that the locustfile has printed or logged."""
        return redaction.url(self.child.last_lines(LAST_LINES))

    def _keep(self, child: processes.Child) -> None:
        """Keep the log of a process, without secrets; a full disk keeps none."""
        if self._kept_in is None or not child.log.is_file():
            return
        text = child.log.read_text(encoding="utf-8", errors="replace")[-LOG_LIMIT:]
        if text.strip():
            with contextlib.suppress(OSError):
                self._kept_in.mkdir(parents=True, exist_ok=True)
                path = self._kept_in / child.log.name
                path.write_text(redaction.url(text), encoding="utf-8")

    def _ask(self, order: Order, timeout: float) -> Message:
        self._tell(message(order))
        answer, body = self._answer(timeout)
        if "error" in answer:
            raise MeasureError(f"{self.locustfile}: {answer['error']}")
        return answer, body

    def _tell(self, order: Mapping[str, Any]) -> None:
        try:
            protocol.send(self._channel, dict(order))
        except OSError as error:
            raise self._died() from error

    def _answer(self, timeout: float) -> Message:
        heard = self._heard(timeout)
        if heard is None:
            raise MeasureError(
                f"{self.child.name} did not answer for {timeout:g} s; "
                f"its last lines:\n{self.child.last_lines()}"
            )
        return heard

    def _heard(self, timeout: float) -> Message | None:
        """Wait for a message; return None if there was none in time."""
        ready, _, _ = select.select([self._channel], [], [], timeout)
        if not ready:
            return None
        try:
            return protocol.receive(self._channel)
        except (EOFError, OSError) as error:
            raise self._died() from error

    def _refused(self, answer: Mapping[str, Any]) -> InputError:
        hint = f"expected a locustfile; try: locust -f {self.locustfile} --list"
        return InputError(
            f"{self.locustfile}: {answer['error']}\n  {answer.get('hint') or hint}"
        )

    def _died(self) -> MeasureError:
        self.child.wait(1.0)
        return MeasureError(
            f"{self.child.name} ended (exit code {self.child.exit_code()}); "
            f"its last lines:\n{self.child.last_lines()}"
        )


def argv(
    locustfile: str,
    descriptor: str,
    role: str,
    arguments: Sequence[str],
    settings: Mapping[str, Any],
) -> list[str]:
    """Return the command of a Locust process: see `assay.load.inside.__main__`."""
    own = [sys.executable, "-m", "assay.load.inside", locustfile, descriptor, role]
    return [*own, json.dumps(dict(settings)), *arguments]


def environment() -> dict[str, str]:
    """Return its environment, in which it finds what Assay finds, and what lies here.

    What it prints comes to its log at once, also that of one that is killed.
    """
    path = os.pathsep.join([*filter(None, sys.path), os.getcwd()])
    return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
