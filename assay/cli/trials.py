"""The trials of `assay load`: a search for the capacity, or a sweep of users."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from assay.cli.load_request import DEFAULT_USERS, MAX_USERS
from assay.cli.output import HOLD, NOT_MEASURED, REFUTED
from assay.errors import InputError

if TYPE_CHECKING:
    from assay.cli.load_request import LoadRequest
    from assay.load_plan import LoadPlan, Requirement
    from assay.load_results import CapacityResults, SweepResults
    from assay.load_tests.run import Watcher
    from assay.run_directory.load_run import LoadRun

PrintLine = Callable[[str], None]

DEFAULT_DURATION = "10s"  # duration of one trial


@dataclass(frozen=True)
class CapacitySearch:
    """A search for the highest rate that meets an objective.

    Attributes:
        objective: The requirements that a rate has to meet.
        max_rate: The highest rate that is tried.
        users: Maximum number of users if --users is not given.
        trial_duration: Duration of a trial if --duration is not given.
    """

    kind: ClassVar[Literal["capacity"]] = "capacity"
    objective: tuple[Requirement, ...]
    max_rate: float
    users: int = DEFAULT_USERS
    trial_duration: str = DEFAULT_DURATION

    def check(self, request: LoadRequest) -> None:
        """Check that no other option contradicts the search.

        Raises:
            InputError: An option contradicts it.
        """
        excluded = ("--rate", "--require", "--iterations", "--think-time")
        _refuse_options("--find-capacity chooses the rates itself", excluded, request)

    def measure(
        self, plan: LoadPlan, run: LoadRun, watcher: Watcher, print_line: PrintLine
    ) -> CapacityResults:
        """Run the search; see `capacity_run.measure`."""
        from assay.load_tests import capacity_run

        return capacity_run.measure(
            plan, self.objective, self.max_rate, run, watcher, print_line
        )


@dataclass(frozen=True)
class Sweep:
    """A sweep, which measures throughput at several numbers of users.

    Attributes:
        user_counts: The numbers of users.
        trial_duration: Duration of a trial if --duration is not given.
    """

    kind: ClassVar[Literal["sweep"]] = "sweep"
    user_counts: tuple[int, ...]
    trial_duration: str = DEFAULT_DURATION

    @property
    def users(self) -> int:
        """The largest number of users."""
        return max(self.user_counts)

    def check(self, request: LoadRequest) -> None:
        """Check that no other option contradicts the sweep.

        Raises:
            InputError: An option contradicts it, or a number of users is smaller than
                the number of workers.
        """
        excluded = ("--rate", "--users", "--require", "--iterations")
        reason = "--sweep sets the numbers of users and runs closed loops"
        _refuse_options(reason, excluded, request)
        workers = request.all_workers
        if min(self.user_counts) < workers:
            raise InputError(
                f"--sweep: {min(self.user_counts)} is too few for {workers} workers"
            )

    def measure(
        self, plan: LoadPlan, run: LoadRun, watcher: Watcher, print_line: PrintLine
    ) -> SweepResults:
        """Run the sweep; see `sweep.measure`."""
        from assay.load_tests import sweep

        return sweep.measure(plan, self.user_counts, run, watcher, print_line)


Trials = CapacitySearch | Sweep


def requested_trials(request: LoadRequest) -> Trials | None:
    """Return the search or sweep that is requested; None for a single load test.

    Raises:
        InputError: An option is invalid, or options contradict each other.
    """
    slo, sweep = request.slo, request.sweep
    if request.find_capacity != (slo is not None):
        raise InputError(
            "--find-capacity and --slo go together: --find-capacity --slo 'p99 <= 50ms "
            "and errors <= 0.1%'"
        )
    if slo and sweep:
        raise InputError(
            "--find-capacity and --sweep are two different tests: leave out one"
        )
    if slo:
        from assay.load_tests import requirements

        return CapacitySearch(requirements.parse_objective(slo), request.most)
    if sweep is not None:
        return Sweep(_parse_user_counts(sweep))
    return None


def _refuse_options(reason: str, excluded: Sequence[str], request: LoadRequest) -> None:
    """Refuse options that contradict a search or a sweep.

    Args:
        reason: Why the options contradict the search or the sweep, for the message.
        excluded: The names of the options, such as ``--rate``.
        request: The request.

    Raises:
        InputError: The user gave one of the options.
    """
    fields = [option[2:].replace("-", "_") for option in excluded]
    if any(getattr(request, field) for field in fields):
        options = f"{', '.join(excluded[:-1])} and {excluded[-1]}"
        raise InputError(f"{reason}: leave out {options}")


def _parse_user_counts(text: str) -> tuple[int, ...]:
    """Return the numbers of users in --sweep, ascending and without repetitions.

    Raises:
        InputError: The text is not a list of at least two different numbers from 1 to
            `MAX_USERS`.
    """
    words = [word.strip() for word in text.split(",")]
    if all(word.isdecimal() and len(word) < 6 for word in words):
        user_counts = sorted({int(word) for word in words})
        if len(user_counts) > 1 and 0 < user_counts[0] and user_counts[-1] <= MAX_USERS:
            return tuple(user_counts)
    raise InputError(
        f"--sweep {text!r}: expected two or more numbers of users, such as "
        "'1,2,4,8,16,32'; fitting the Universal Scalability Law needs four or more "
        "numbers"
    )


def exit_code(results: CapacityResults | SweepResults) -> int:
    """Return the exit code for the results of a search or a sweep."""
    from assay.load_results import CapacityResults

    if results.partial:
        return NOT_MEASURED
    if isinstance(results, CapacityResults) and results.low is None:
        return REFUTED
    return HOLD  # exit code 0: nothing was refuted
