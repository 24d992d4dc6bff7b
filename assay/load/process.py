"""A Locust process: started, asked, ended."""

import os
import select
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assay import processes
from assay.errors import InputError, MeasureError
from assay.load import protocol

IMPORT_TIMEOUT = 30.0
ALONE = "alone"  # a process that has no master and no workers

Message = tuple[dict[str, Any], bytes]


class LocustProcess:
    """One Locust process with a channel to it.

    Attributes:
        warnings: What of the locustfile has no effect, in sentences.
    """

    def __init__(
        self,
        locustfile: Path,
        folder: Path,
        cores: Sequence[int] = (),
        arguments: Sequence[str] = (),
        role: str = ALONE,
        host: str = "",
    ) -> None:
        """Start the process and import the locustfile in it.

        Args:
            locustfile: An ordinary locustfile.
            folder: Takes the process's log.
            cores: Cores it is pinned to.
            arguments: For the locustfile, as after `locust -f FILE`.
            role: See `assay.load.__main__`.
            host: What listeners of the locustfile find as the environment's host;
                empty if there is no single one.

        Raises:
            InputError: The locustfile cannot be imported, has no users, or one of its
                listeners fails.
        """
        self.locustfile = locustfile
        self.warnings: list[str] = []
        ours, theirs = socket.socketpair()
        self._channel = ours
        descriptor = theirs.fileno()
        self.child = processes.start(
            f"the load generator for {locustfile}",
            argv(locustfile, str(descriptor), role, arguments, host),
            log=folder / "locust.log",
            cwd=locustfile.parent,
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
            hint = f"expected a locustfile; try: locust -f {locustfile} --list"
            raise InputError(
                f"{locustfile}: {answer['error']}\n  {answer.get('hint') or hint}"
            )
        self.hello = answer
        self.warnings = answer["warnings"]

    def close(self) -> None:
        """End the process."""
        self._channel.close()
        self.child.wait(2.0)
        self.child.stop(grace=0.5)

    def _ask(self, order: Mapping[str, Any], timeout: float) -> Message:
        self._tell(order)
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

    def _died(self) -> MeasureError:
        self.child.wait(1.0)
        return MeasureError(
            f"{self.child.name} ended (exit code {self.child.exit_code()}); "
            f"its last lines:\n{self.child.last_lines()}"
        )


def argv(
    locustfile: Path | str,
    descriptor: str,
    role: str,
    arguments: Sequence[str],
    host: str = "",
) -> list[str]:
    """Return the command of a Locust process: see `assay.load.__main__`."""
    own = [sys.executable, "-m", "assay.load", str(locustfile), descriptor, role]
    return [*own, host, *arguments]


def environment() -> dict[str, str]:
    """Return its environment, in which it finds what Assay finds."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
