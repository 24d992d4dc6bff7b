"""A search that ends early, and the results that it keeps."""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from assay.errors import MeasureError
from assay.load.recorder import FINE
from assay.load_plan import LoadPlan
from assay.load_results import CapacityResults, LoadResults, Name, SweepResults
from assay.load_tests import capacity_run, summary, sweep
from assay.load_tests.judging import judge
from assay.load_tests.requirements import parse_objective
from assay.load_tests.run import Status
from assay.run_directory.load_run import LoadRun
from tests.unit.load_tests.synthetic import Sample, finished, plan, written

OBJECTIVE = parse_objective("p50 <= 50ms and errors <= 1%")


class Nobody:
    """A watcher that shows nothing."""

    def update(self, status: Status) -> None:
        """Ignore the status."""


NOBODY = Nobody()


class Generator:
    """Takes the place of a generator; nothing runs."""

    warnings = ("so it is",)

    finished = 0

    def closed_loop_rate(self, *_: object) -> float:
        return 200.0

    def finish(self) -> int | None:
        self.finished += 1
        return 7


@contextlib.contextmanager
def open_generator(*_: object) -> Iterator[Generator]:
    generator = Generator()
    yield generator
    # It is finished once, after the last trial.
    assert generator.finished == 1


LIMIT = 150.0  # arrivals a second; above this rate, all requests take long
Ends = Callable[[int], bool]


def loading(ends: Ends, folder: Path) -> Callable[..., LoadResults]:
    """Return a function that takes the place of a load test.

    Args:
        ends: Says whether the trial of this number (from 1) ends early; it may raise.
        folder: The folder for the samples of all trials.
    """
    samples = [(i / 100, i / 100 + 0.01, FINE) for i in range(1000)]
    template = summary.summarise(finished(folder, samples))
    number = itertools.count(1)

    def load(_: object, plan: LoadPlan, run: LoadRun, watcher: object) -> LoadResults:
        partial = ends(next(number))
        assert not plan.trials and not run.plan().trials
        slow = 0.06789 if max(plan.rates) > LIMIT else 0.01
        rows = [
            row.model_copy(
                update={"latency": row.latency.model_copy(update={"p50": slow})}
            )
            for row in template.rows
        ]
        results = template.model_copy(update={"rows": tuple(rows), "partial": partial})
        judged = judge(plan.requirements, results)
        return results.model_copy(update={"requirements": judged})

    return load


def limited(
    load: Callable[..., LoadResults], changes: dict[str, object]
) -> Callable[..., LoadResults]:
    """Return the same function with changes to its results."""

    def changed(*given: object) -> LoadResults:
        return load(*given).model_copy(update=changes)

    return changed


def at_third(number: int) -> bool:
    return number == 3


def raising(error: BaseException) -> Ends:
    def ends(number: int) -> bool:
        if number == 3:
            raise error
        return False

    return ends


@pytest.fixture
def searching(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Ends], tuple[LoadRun, list[str]]]:
    """Return a function that searches; it returns the directory and printed lines."""

    def search(ends: Ends) -> tuple[LoadRun, list[str]]:
        monkeypatch.setattr(capacity_run, "open_generator", open_generator)
        monkeypatch.setattr(capacity_run, "load", loading(ends, tmp_path))
        monkeypatch.setattr(capacity_run, "PAUSE", 0.0)
        test_plan = plan(tmp_path, trials="capacity")
        run, lines = LoadRun.create(tmp_path / "search", test_plan, {}), list[str]()
        with contextlib.suppress(MeasureError, KeyboardInterrupt):
            capacity_run.measure(test_plan, OBJECTIVE, 1000, run, NOBODY, lines.append)
        return run, lines

    return search


def kept(run: LoadRun) -> CapacityResults:
    results = run.trials()
    assert isinstance(results, CapacityResults)
    return results


Search = Callable[[Ends], tuple[LoadRun, list[str]]]


def test_a_search_that_comes_to_its_end(searching: Search) -> None:
    run, lines = searching(lambda number: False)
    results = kept(run)
    assert not results.partial and results.warnings == ("so it is",)
    assert results.locust_exit_code == 7
    assert results.low is not None and results.high is not None
    assert results.low <= LIMIT < results.high < 1.06 * results.low
    # Reasons show measured values with their units.
    missed = [probe.reason for probe in results.probes if not probe.held]
    assert set(missed) == {"latency.p50 <= 50ms: 67.9 ms"}


@pytest.mark.parametrize(
    "ends",
    [at_third, raising(KeyboardInterrupt()), raising(MeasureError("it died"))],
    ids=["Ctrl-C in a trial", "Ctrl-C between trials", "the generator died"],
)
def test_only_what_was_measured_is_reported(searching: Search, ends: Ends) -> None:
    run, lines = searching(ends)
    results = kept(run)
    assert results.partial
    assert [(probe.rate, probe.held) for probe in results.probes] == [
        (100, True),
        (200, False),
    ]
    assert (results.low, results.high) == (100, 200)
    # No probe starts after the search has ended.
    assert sum(text.startswith("probe") for text in lines) == 3


def test_of_a_search_that_had_just_begun_there_is_no_limit(searching: Search) -> None:
    run, _ = searching(lambda number: True)
    results = kept(run)
    assert results.partial and (results.low, results.high, results.probes) == (
        None,
        None,
        (),
    )


@pytest.mark.parametrize(
    ("ends", "why"),
    [
        (at_third, ()),
        (raising(KeyboardInterrupt()), ("Ctrl-C stopped the test",)),
        (raising(MeasureError("it died")), ("complete: it died",)),
    ],
)
def test_a_sweep_keeps_the_trials_that_came_to_their_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ends: Ends, why: tuple[str, ...]
) -> None:
    monkeypatch.setattr(sweep, "open_generator", open_generator)
    monkeypatch.setattr(sweep, "load", loading(ends, tmp_path))
    monkeypatch.setattr(sweep, "_throughput", lambda trial, loaded: 90.0)
    test_plan = plan(tmp_path, trials="sweep")
    run = LoadRun.create(tmp_path / "sweep", test_plan, {})
    with contextlib.suppress(MeasureError, KeyboardInterrupt):
        sweep.measure(test_plan, [1, 2, 4], run, NOBODY, lambda words: None)
    results = run.trials()
    assert isinstance(results, SweepResults)
    assert results.partial and len(results.points) == 2
    assert results.locust_exit_code in (None, 7)
    assert results.warnings[0] == "so it is"
    assert len(results.warnings) == 1 + len(why)
    assert all(reason in results.warnings[-1] for reason in why)


def test_a_limit_of_the_generators_machine_ends_a_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = loading(lambda number: False, tmp_path)
    hit = limited(template, {"limit": "No more ports.", "partial": True})
    monkeypatch.setattr(capacity_run, "open_generator", open_generator)
    monkeypatch.setattr(capacity_run, "load", hit)
    test_plan = plan(tmp_path, trials="capacity")
    run = LoadRun.create(tmp_path / "search", test_plan, {})
    with pytest.raises(MeasureError, match="No more ports."):
        capacity_run.measure(
            test_plan, OBJECTIVE, 1000, run, NOBODY, lambda words: None
        )
    assert kept(run).partial and not kept(run).probes


def test_a_rate_at_which_the_generator_was_the_limit_is_marked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bound = limited(loading(lambda number: False, tmp_path), {"bound": True})
    monkeypatch.setattr(capacity_run, "open_generator", open_generator)
    monkeypatch.setattr(capacity_run, "load", bound)
    monkeypatch.setattr(capacity_run, "PAUSE", 0.0)
    test_plan = plan(tmp_path, trials="capacity")
    run = LoadRun.create(tmp_path / "search", test_plan, {})
    results = capacity_run.measure(
        test_plan, OBJECTIVE, 1000, run, NOBODY, lambda words: None
    )
    assert all(probe.late for probe in results.probes)
    assert any("the load generator itself was the limit" in w for w in results.warnings)


def test_a_sweep_counts_the_good_answers_of_the_load_alone(tmp_path: Path) -> None:
    login = Name("start", "GET", "/login")
    requests = [Sample(i / 10, i / 10 + 0.011) for i in range(100)]
    requests += [Sample(i / 10, i / 10 + 0.011, name=login) for i in range(100)]
    requests += [Sample(i / 10, i / 10 + 0.011, 1) for i in range(100)]
    results = sweep._throughput(written(tmp_path, requests), 10.0)
    assert results == pytest.approx(10.0)
