"""The Locust process as Assay sees it: started, steered, ended."""

import os
import select
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay import processes
from assay.errors import InputError, MeasureError
from assay.load import protocol
from assay.plan import Mode

IMPORT_TIMEOUT = 30.0
ATTACH_TIMEOUT = 30.0


@dataclass(frozen=True)
class Slice:
    """What one slice measured.

    Attributes:
        began: `time.perf_counter` when it began, which is one clock for all
            processes of a machine on Linux.
        ended: When the last request had ended, or was given up.
        planned: Arrivals of the schedule; in a closed loop, tasks begun.
            ``planned == done + dropped + unserved`` always holds.
        requests: Samples; more than `done` where a task makes several requests.
        cpu: CPU seconds of the target's processes.
        run_delay: Seconds that its threads were runnable but not running.
        foreign: Seconds that its cores worked for others; NaN if unknown.
        lag_p99: Seconds that arrivals were sent late by the generator itself.
        stall: Seconds that the generator was late for its own heartbeat, at worst.
        columns: One array for each column of `protocol.COLUMNS`.
        names: The request names that the column `name` numbers.
        errors: How often each error came, at most 20 of them.
    """

    variant: str
    mode: Mode
    began: float
    ended: float
    planned: int
    done: int
    dropped: int
    unserved: int
    requests: int
    lag_p99: float
    stall: float
    cpu: float
    run_delay: float
    generator_cpu: float
    generator_run_delay: float
    foreign: float
    columns: Mapping[str, NDArray[Any]] = field(repr=False)
    names: Sequence[str]
    errors: Mapping[str, int]

    @property
    def duration(self) -> float:
        """Seconds from its beginning to the end of its last request."""
        return self.ended - self.began

    @property
    def failed(self) -> int:
        """How many of its samples failed or were never answered."""
        return int(np.count_nonzero(self.columns["failed"]))


class Generator:
    """One Locust process that loads the variants of one topic."""

    def __init__(
        self, locustfile: Path, folder: Path, cores: Sequence[int] = ()
    ) -> None:
        """Start the process and import the locustfile in it.

        Args:
            locustfile: An ordinary locustfile.
            folder: Takes the process's log.
            cores: Cores it is pinned to.

        Raises:
            InputError: The locustfile cannot be imported or has no users.
        """
        self.locustfile = locustfile
        ours, theirs = socket.socketpair()
        self._channel = ours
        descriptor = theirs.fileno()
        argv = [sys.executable, "-m", "assay.load", str(locustfile), str(descriptor)]
        self.child = processes.start(
            f"the load generator for {locustfile}",
            argv,
            log=folder / "locust.log",
            cwd=locustfile.parent,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            cores=cores,
            pass_fds=[descriptor],
        )
        theirs.close()
        processes.step_forward(self.child)
        try:
            answer, _ = self._answer(IMPORT_TIMEOUT)
        except BaseException:
            self.close()
            raise
        if "error" in answer:
            self.close()
            raise InputError(
                f"{locustfile}: {answer['error']}\n"
                f"  expected a locustfile; try: locust -f {locustfile} --list"
            )

    def attach(
        self,
        hosts: Mapping[str, str],
        pids: Mapping[str, Sequence[int]],
        cores: Sequence[int],
        users: int,
    ) -> None:
        """Give each variant a pool of connected users.

        Args:
            hosts: Variant to base URL.
            pids: Variant to the processes whose CPU time is read.
            cores: The cores that they are pinned to; empty if they are not.
            users: Users, and connections, of each pool.

        Raises:
            MeasureError: A user's `on_start` failed.
        """
        order = {
            "do": "attach",
            "hosts": dict(hosts),
            "processes": {name: list(ids) for name, ids in pids.items()},
            "cores": list(cores),
            "users": users,
            "timeout": ATTACH_TIMEOUT,
        }
        self._ask(order, ATTACH_TIMEOUT * (len(hosts) + 1))

    def detach(self) -> None:
        """Stop all users."""
        self._ask({"do": "detach"}, 30.0)

    def touch(self, variant: str) -> Slice:
        """Let every user of a variant run one task, which opens its connection."""
        return self._slice(variant, "open", {"mode": "touch", "duration": 0.0})

    def closed(self, variant: str, users: int, duration: float, seed: int = 0) -> Slice:
        """Run a closed loop: `users` without think time for `duration` seconds.

        The seed decides which tasks the users choose, as far as chance has a say.
        """
        order = {"mode": "closed", "users": users, "duration": duration, "seed": seed}
        return self._slice(variant, "closed", order)

    def open(self, variant: str, rate: float, duration: float, seed: int) -> Slice:
        """Run an open loop: Poisson arrivals, `rate` a second, for `duration`."""
        order = {"mode": "open", "rate": rate, "duration": duration, "seed": seed}
        return self._slice(variant, "open", order)

    def close(self) -> None:
        """End the process."""
        self._channel.close()
        self.child.wait(2.0)
        self.child.stop(grace=0.5)

    def _slice(self, variant: str, mode: Mode, order: dict[str, Any]) -> Slice:
        drain = 10.0
        order |= {"do": "slice", "variant": variant, "drain": drain}
        answer, body = self._ask(order, order["duration"] + drain + 30.0)
        columns, offset = {}, 0
        for name, code in protocol.COLUMNS:
            column = np.frombuffer(body, code, answer["requests"], offset)
            columns[name] = column
            offset += column.nbytes
        return Slice(variant=variant, mode=mode, columns=columns, **answer)

    def _ask(self, order: dict[str, Any], timeout: float) -> tuple[Any, bytes]:
        try:
            protocol.send(self._channel, order)
        except OSError as error:
            raise self._died() from error
        answer, body = self._answer(timeout)
        if "error" in answer:
            raise MeasureError(f"{self.locustfile}: {answer['error']}")
        return answer, body

    def _answer(self, timeout: float) -> tuple[dict[str, Any], bytes]:
        ready, _, _ = select.select([self._channel], [], [], timeout)
        if not ready:
            raise MeasureError(
                f"{self.child.name} did not answer for {timeout:g} s; "
                f"its last lines:\n{self.child.last_lines()}"
            )
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
