"""Start a Locust process, give it orders, and end it."""

import contextlib
import json
import os
import select
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assay.errors import InputError, MeasureError
from assay.load import protocol
from assay.load.orders import Order, message
from assay.load.protocol import SEPARATOR, Message
from assay.system import processes
from assay.system.processes import Inherited

IMPORT_TIMEOUT = 30.0
ALONE = "alone"  # the role of a process that has no master and no workers
LAST_LINES = 30  # lines of the log: a traceback, and what was printed before it
LOG = "locust.log"
LOG_LIMIT = 1_000_000  # characters of a log that are kept, from its end


@dataclass(frozen=True)
class Setup:
    """How a Locust process is started.

    Attributes:
        locustfile: An ordinary locustfile; or several, with commas between them, or a
            folder.
        folder: The folder for the process's log.
        arguments: Arguments for the locustfile, as after `locust -f FILE`.
        host: The environment's host, for listeners of the locustfile; empty if there
            is no single host.
        settings: Further options of Locust, for listeners: `num_users`,
            `spawn_rate`, `run_time`.
        cwd: The working directory of the process; None for the locustfile's own folder.
        keep: The folder in which logs, without secrets, are kept after the end; None to
            keep none.
    """

    locustfile: Path | str
    folder: Path
    arguments: tuple[str, ...] = ()
    host: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    cwd: Path | None = None
    keep: Path | None = None

    @property
    def paths(self) -> list[str]:
        """The locustfiles' paths."""
        return [os.path.abspath(path) for path in str(self.locustfile).split(SEPARATOR)]

    @property
    def working_directory(self) -> Path:
        """The folder in which the process runs."""
        return self.cwd or Path(self.paths[0]).parent

    @property
    def options(self) -> dict[str, Any]:
        """The options of Locust that listeners see."""
        return {"host": self.host, **self.settings}

    def argv(self, descriptor: str, role: str) -> list[str]:
        """Return the command of the process; see `assay.load.inside.__main__`."""
        path = SEPARATOR.join(self.paths)
        return argv(path, descriptor, role, self.arguments, self.options)


class LocustProcess:
    """One Locust process with a channel to it.

    Attributes:
        setup: How it was started.
        shape: Name of the locustfile's LoadTestShape; empty if it has none.
        hello: Its first message, which describes the locustfile.
    """

    def __init__(
        self, setup: Setup, cores: Sequence[int] = (), role: str = ALONE
    ) -> None:
        """Start the process and import the locustfile in it.

        Args:
            setup: How the process is started.
            cores: Cores that the process is pinned to.
            role: See `assay.load.inside.__main__`.

        Raises:
            InputError: The locustfile cannot be imported, has no users, or one of its
                listeners fails.
            MeasureError: The process ended, or does not answer.
        """
        self.setup, self.shape = setup, ""
        ours, theirs = socket.socketpair()
        self._channel = ours
        descriptor = theirs.fileno()
        self.child = processes.start(
            f"the load generator for {setup.locustfile}",
            setup.argv(str(descriptor), role),
            log=setup.folder / LOG,
            cwd=setup.working_directory,
            env=environment(),
            cores=cores,
            inherits=Inherited((descriptor,)),
        )
        theirs.close()
        if role == ALONE:  # a master must not preempt the workers that share its core
            processes.raise_priority(self.child)
        try:
            hello, _ = self._answer(IMPORT_TIMEOUT)
        except BaseException:
            self.close()
            raise
        if "error" in hello:
            self.close()
            raise self._input_error(hello)
        self.hello = hello
        self.shape = hello["shape"]

    @property
    def warnings(self) -> list[str]:
        """Warnings about parts of the locustfile that have no effect under Assay."""
        if not self.shape:
            return []
        return [
            f"The locustfile's {self.shape} has no effect here: Assay sets how much "
            "load there is."
        ]

    def close(self) -> None:
        """End the process, and copy its log to the setup's `keep` folder."""
        self._channel.close()
        self.child.wait(2.0)
        self.child.stop(grace=0.5)
        self._keep_log(self.child)

    def last_lines(self) -> str:
        """Return the last lines that the locustfile has printed or logged."""
        return self.child.last_lines(LAST_LINES)

    def _keep_log(self, child: processes.Child) -> None:
        """Keep the log of a process, without secrets, if there is room on the disk."""
        if self.setup.keep is None or not child.log.is_file():
            return
        text = processes.end_of_log(child.log, LOG_LIMIT)
        if text.strip():
            with contextlib.suppress(OSError):
                self.setup.keep.mkdir(parents=True, exist_ok=True)
                path = self.setup.keep / child.log.name
                path.write_text(text, encoding="utf-8")

    def _ask(self, order: Order, timeout: float) -> Message:
        """Send an order and return its answer.

        Raises:
            MeasureError: The order failed, or the process has ended or does not answer.
        """
        self._send(message(order))
        answer, body = self._answer(timeout)
        if "error" in answer:
            raise MeasureError(f"{self.setup.locustfile}: {answer['error']}")
        return answer, body

    def _send(self, header: Mapping[str, Any]) -> None:
        try:
            protocol.send(self._channel, dict(header))
        except OSError as error:
            raise self._ended() from error

    def _answer(self, timeout: float) -> Message:
        """Wait for a message.

        Raises:
            MeasureError: The process has ended or does not answer.
        """
        received = self._receive(timeout)
        if received is None:
            raise MeasureError(
                f"{self.child.name} did not answer for {timeout:g} s; "
                f"its last lines:\n{self.child.last_lines()}"
            )
        return received

    def _receive(self, timeout: float) -> Message | None:
        """Wait for a message; return None if there was none in time.

        Raises:
            MeasureError: The process has ended.
        """
        ready, _, _ = select.select([self._channel], [], [], timeout)
        if not ready:
            return None
        try:
            return protocol.receive(self._channel)
        except (EOFError, OSError) as error:
            raise self._ended() from error

    def _input_error(self, answer: Mapping[str, Any]) -> InputError:
        hint = f"expected a locustfile; try: locust -f {self.setup.locustfile} --list"
        hint = answer.get("hint") or hint
        return InputError(f"{self.setup.locustfile}: {answer['error']}\n  {hint}")

    def _ended(self) -> MeasureError:
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
    command = [sys.executable, "-m", "assay.load.inside", locustfile, descriptor, role]
    return [*command, json.dumps(dict(settings)), *arguments]


def environment() -> dict[str, str]:
    """Return the environment of a Locust process.

    The process can import whatever Assay can import, and modules of the current folder.
    Its output is unbuffered, so that the log of a killed process is complete, too.
    """
    path = os.pathsep.join([*filter(None, sys.path), os.getcwd()])
    return {**os.environ, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
