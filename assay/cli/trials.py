"""`assay load` in many trials: the capacity of a service, and how it scales."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from assay.cli.output import HOLD, NOT_MEASURED, REFUTED
from assay.errors import InputError

if TYPE_CHECKING:
    from assay.cli.load_request import LoadRequest
    from assay.load_plan import LoadPlan, Requirement
    from assay.load_results import CapacityResults, SweepResults
    from assay.load_tests.run import Watcher
    from assay.run_directory.load_run import LoadRun

Say = Callable[[str], None]

USERS = 100  # that a search for the capacity may occupy
TRIAL = "10s"
MOST_USERS = 60_000


@dataclass(frozen=True)
class Capacity:
    """A search for the highest rate that meets an objective.

    Attributes:
        users: Connections that it may occupy, if nothing else is said.
        trial: How long a trial takes, if nothing else is said.
    """

    kind: ClassVar[Literal["capacity"]] = "capacity"
    objective: tuple[Requirement, ...]
    most: float
    users: int = USERS
    trial: str = TRIAL

    def check(self, request: LoadRequest) -> None:
        """Make sure that the other options go with it.

        Raises:
            InputError: They do not.
        """
        clashing = ("--rate", "--require", "--iterations", "--think-time")
        _leave_out("--find-capacity chooses the rates itself", clashing, request)

    def measure(
        self, plan: LoadPlan, run: LoadRun, watcher: Watcher, say: Say
    ) -> CapacityResults:
        """Search; see `capacity_run.measure`."""
        from assay.load_tests import capacity_run

        return capacity_run.measure(plan, self.objective, self.most, run, watcher, say)


@dataclass(frozen=True)
class Sweep:
    """Throughput at several numbers of users.

    Attributes:
        numbers: The numbers.
        trial: How long a trial takes, if nothing else is said.
    """

    kind: ClassVar[Literal["sweep"]] = "sweep"
    numbers: tuple[int, ...]
    trial: str = TRIAL

    @property
    def users(self) -> int:
        """The greatest number."""
        return max(self.numbers)

    def check(self, request: LoadRequest) -> None:
        """Make sure that the other options go with it; see `Capacity.check`."""
        clashing = ("--rate", "--users", "--require", "--iterations")
        why = "--sweep chooses the users itself, in closed loops"
        _leave_out(why, clashing, request)
        workers = request.all_workers
        if min(self.numbers) < workers:
            raise InputError(
                f"--sweep: {min(self.numbers)} is too few for {workers} workers"
            )

    def measure(
        self, plan: LoadPlan, run: LoadRun, watcher: Watcher, say: Say
    ) -> SweepResults:
        """Measure; see `sweep.measure`."""
        from assay.load_tests import sweep

        return sweep.measure(plan, self.numbers, run, watcher, say)


Trials = Capacity | Sweep


def asked_for(request: LoadRequest) -> Trials | None:
    """Return what is asked for in many trials; None for one load test.

    Raises:
        InputError: The options do not go together, or cannot be understood.
    """
    slo, sweep = request.slo, request.sweep
    if request.find_capacity != (slo is not None):
        raise InputError(
            "--find-capacity and --slo go together: --find-capacity --slo 'p99 <= 50ms "
            "and errors <= 0.1%'"
        )
    if slo and sweep:
        raise InputError("--find-capacity and --sweep are two tests: leave out one")
    if slo:
        from assay.load_tests import requirements

        return Capacity(requirements.objective(slo), request.most)
    if sweep is not None:
        return Sweep(_numbers(sweep))
    return None


def _leave_out(why: str, clashing: Sequence[str], request: LoadRequest) -> None:
    """Refuse options that do not go with a test in many trials.

    Raises:
        InputError: One of them was given.
    """
    names = [option[2:].replace("-", "_") for option in clashing]
    if any(getattr(request, name) for name in names):
        named = f"{', '.join(clashing[:-1])} and {clashing[-1]}"
        raise InputError(f"{why}: leave out {named}")


def _numbers(text: str) -> tuple[int, ...]:
    """Return the numbers of users that somebody wrote.

    Raises:
        InputError: They are none.
    """
    words = [word.strip() for word in text.split(",")]
    if all(word.isdecimal() and len(word) < 6 for word in words):
        numbers = sorted({int(word) for word in words})
        if len(numbers) > 1 and 0 < numbers[0] and numbers[-1] <= MOST_USERS:
            return tuple(numbers)
    raise InputError(
        f"--sweep {text!r}: expected two or more numbers of users, such as "
        "'1,2,4,8,16,32'; four or more for a law of them"
    )


def exit_code(results: CapacityResults | SweepResults) -> int:
    """Return what a test in many trials means to a shell."""
    from assay.load_results import CapacityResults

    if results.partial:
        return NOT_MEASURED
    if isinstance(results, CapacityResults) and results.low is None:
        return REFUTED
    return HOLD
