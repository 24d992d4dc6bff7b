"""A load test while it runs, with a stand-in for the generator: nothing is loaded."""

import contextlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from assay.errors import MeasureError
from assay.load.ticks import Tick, from_header
from assay.load_results import Name
from assay.load_tests import run as running
from assay.load_tests import summary, writer
from assay.load_tests.run import Status
from assay.run_directory.load_run import ITERATIONS, REQUESTS, TICKS, LoadRun
from tests.unit.load_tests.synthetic import LOOK, Sample, plan, table, ticks

BEGAN = 1000.0  # of the generator's own clock
LOGIN = Name("start", "GET", "/login?token=S3CRET")
BUY = Name("task", "", "buy")


def columns(
    samples: Sequence[Sample], names: Sequence[Name]
) -> dict[str, NDArray[Any]]:
    found = {
        name: column.to_numpy()
        for name, column in zip(
            *(table(samples, names).column_names, table(samples, names).columns),
            strict=True,
        )
    }
    for name in ("scheduled", "start", "end"):
        found[name] = found[name] + BEGAN
    return found


class Generator:
    """Yields the given ticks; the last item may be an error to raise."""

    def __init__(self, told: Sequence[Tick | BaseException]) -> None:
        self._told = list(told)
        self.warnings = ["so it is"]
        self.calls: list[str] = []
        self.code: int | None = 7

    def load(self, *_: object) -> None:
        self.calls.append("load")

    def tick(self) -> Tick:
        one = self._told.pop(0)
        if isinstance(one, BaseException):
            raise one
        return one

    def stop(self) -> None:
        self.calls.append("stop")

    def finish(self) -> int | None:
        self.calls.append("finish")
        return self.code

    def last_lines(self) -> str:
        return "    it said so"


class Watching:
    """Keeps every status, and reads the directory at each of them."""

    def __init__(self, run: LoadRun | None = None) -> None:
        self.history: list[Status] = []
        self.rows: list[int] = []
        self._run = run

    def update(self, status: Status) -> None:
        self.history.append(status)
        if self._run:
            batches = self._run.batches(REQUESTS, ("end",))
            self.rows.append(sum(len(batch) for batch in batches))


def second(header: Mapping[str, Any], samples: Sequence[Sample]) -> Tick:
    """Return a generator's tick of a second with some requests."""
    names = [LOOK, LOGIN, BUY]
    requests = [s for s in samples if s.name.kind != "task"]
    tasks = [s for s in samples if s.name.kind == "task"]
    whole = {
        **{"unserved": 0, "loaded": header["at"], "last": False, "ended_by": ""},
        **header,
        **{"began": BEGAN, "generator_run_delay": 0.0, "names": names},
    }
    return from_header(whole, columns(requests, names), columns(tasks, names))


def told() -> list[Tick]:
    """Return ten seconds: five log-ins that fail, and ten requests in each second."""
    found = []
    for at, header in enumerate(ticks([])):
        samples = [Sample(at + i / 10, at + i / 10 + 0.011) for i in range(9)]
        samples += [Sample(at, at + 0.501, waited=0.4)]
        if not at:
            samples += [Sample(0.0, 3.0, 1, LOGIN)] * 5
        if at == 9:
            samples += [Sample(1.0, 9.5, name=BUY)]
        found.append(second(header, samples))
    return found


@pytest.fixture
def run(tmp_path: Path) -> LoadRun:
    return LoadRun.create(tmp_path / "run", plan(tmp_path), {})


def loaded(generator: Generator, run: LoadRun, watching: Watching | None = None) -> Any:
    own = run.plan()
    given: Any = generator
    return running.load(given, own, run, watching or Watching())


def test_what_is_said_is_kept_and_summed_up(run: LoadRun) -> None:
    generator, watching = Generator(told()), Watching(run)
    found = loaded(generator, run, watching)
    assert not found.partial and not found.missing
    rows = [(row.title, row.requests, row.failed) for row in found.rows]
    assert rows == [
        ("all requests", 100, 0),
        ("GET /look", 100, 0),
        ("buy (task)", 1, 0),
        ("GET /login?token=*** (on_start)", 5, 5),
    ]
    assert found.total.latency.p50 == pytest.approx(0.01)
    assert found.total.latency.longest == pytest.approx(0.5)
    assert generator.calls == ["load"]  # other tests may follow


def test_all_samples_are_on_disk_before_the_last_second_is(
    run: LoadRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[bool, int]] = []
    append = LoadRun.append_tick

    def appended(self: LoadRun, tick: Mapping[str, Any]) -> None:
        rows = sum(len(batch) for batch in self.batches(REQUESTS, ("end",)))
        seen.append((bool(tick.get("last")), rows))
        append(self, tick)

    monkeypatch.setattr(LoadRun, "append_tick", appended)
    loaded(Generator(told()), run)
    assert seen[-1] == (True, 105)
    assert [last for last, _ in seen].count(True) == 1


def test_live_percentiles_are_of_the_load_alone_and_without_the_generators_part(
    run: LoadRun,
) -> None:
    watching = Watching()
    loaded(Generator(told()), run, watching)
    first = watching.history[0]
    # Log-ins took three seconds, but are not part of the load; their failures count.
    assert first.p50 == pytest.approx(0.01) and first.p99 < 0.51
    assert first.failed == 5 and first.rate == pytest.approx(10.0)
    tick, *_ = run.ticks()
    assert tick["p50"] == pytest.approx(0.01)


def test_a_second_without_an_answer_has_no_percentiles(run: LoadRun) -> None:
    header, *rest = ticks([])
    silent = [Sample(0.1, math.nan, 1), Sample(0.2, 3.0, 1, LOGIN)]
    watching = Watching()
    seconds = [second(header, silent), *(second(one, []) for one in rest)]
    loaded(Generator(seconds), run, watching)
    assert math.isnan(watching.history[0].p50) and run.ticks()[0]["p50"] is None


def test_secrets_are_kept_out_of_all_that_is_said(run: LoadRun) -> None:
    seconds = told()
    secret = "http://me:S3CRET@shop/x?api_key=S3CRET"
    seconds[0] = replace(seconds[0], errors={f"GET {secret}: no": 2})
    raised = {f"task {secret} raised ValueError: {secret}": 2}
    seconds[1] = replace(seconds[1], tasks={secret: 2}, raised=raised)
    found = loaded(Generator(seconds), run)
    assert sum(found.errors.values()) == sum(found.raised.values()) == 2
    assert any("2 of 2 runs of task http://***@shop" in text for text in found.warnings)
    for path in run.path.rglob("*.json*"):
        assert "S3CRET" not in path.read_text(), path.name


def test_a_limit_that_is_hit_ends_the_test_with_what_was_measured(
    run: LoadRun,
) -> None:
    seconds = told()
    limit = "No more descriptors."
    seconds[3:6] = [replace(tick, limit=limit) for tick in seconds[3:6]]
    generator = Generator(seconds)
    found = loaded(generator, run)
    assert generator.calls == ["load", "stop"]
    assert found.partial and found.limit == "No more descriptors."
    with pytest.raises(MeasureError, match="No more descriptors."):
        running.check_limit(found)


@contextlib.contextmanager
def opened(generator: Generator) -> Iterator[Generator]:
    yield generator


@pytest.mark.parametrize("code", [None, 0, 3])
def test_the_locustfile_ends_after_the_test_and_its_code_is_kept(
    run: LoadRun, monkeypatch: pytest.MonkeyPatch, code: int | None
) -> None:
    generator = Generator(told())
    generator.code = code
    monkeypatch.setattr(running, "open_generator", lambda *_, **__: opened(generator))
    found = running.measure(run.plan(), run, Watching())
    assert generator.calls == ["load", "finish"]
    assert found.locust_exit_code == code == run.results().locust_exit_code
    # The same summary can be computed again.
    assert summary.summarise(run) == found


def test_a_limit_is_an_error_of_the_measurement(
    run: LoadRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = told()
    seconds[-1] = replace(seconds[-1], limit="No more ports.")
    generator = Generator(seconds)
    monkeypatch.setattr(running, "open_generator", lambda *_, **__: opened(generator))
    with pytest.raises(MeasureError, match="No more ports."):
        running.measure(run.plan(), run, Watching())
    assert run.results().partial and run.results().limit == "No more ports."
    assert generator.calls == ["load", "finish"]


FULL = Path("/dev/full")  # writing there fails like on a full disk
full = pytest.mark.skipif(not FULL.exists(), reason="there is no /dev/full")


@full
@pytest.mark.parametrize(
    "name",
    [
        f"samples/{REQUESTS}-00001.parquet",
        f"samples/{ITERATIONS}-00001.parquet",
        "names.json",
        "warnings.json",
        "results.json",
        TICKS,
    ],
)
def test_a_disk_that_is_full_is_named(run: LoadRun, name: str) -> None:
    (run.path / (name if name == TICKS else f"{name}.part")).symlink_to(FULL)
    with pytest.raises(MeasureError, match="No space left on device") as error:
        loaded(Generator(told()), run)
    assert str(error.value).startswith(f"{run.path / name}: cannot be written")
    # The summary has what was written, and is partial.
    if name == TICKS:
        (run.path / TICKS).unlink()
    assert summary.summarise(run).partial or name == "results.json"


@full
def test_a_disk_that_is_full_at_the_last_flush_loses_no_other_file(
    run: LoadRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "FILE_ROWS", 20)
    (run.path / "samples" / f"{REQUESTS}-00004.parquet.part").symlink_to(FULL)
    with pytest.raises(MeasureError, match="00004"):
        loaded(Generator(told()), run)
    found = summary.summarise(run)
    assert found.partial and not found.ended and found.rows[0].requests >= 55
    assert not [*run.path.rglob("*.part")]


@pytest.mark.parametrize("error", [MeasureError("it died"), KeyboardInterrupt()])
def test_whatever_ends_it_keeps_the_samples_that_came(
    run: LoadRun, error: BaseException
) -> None:
    with pytest.raises(type(error)):
        loaded(Generator([*told()[:4], error]), run)
    found = summary.summarise(run)
    assert (found.partial, found.ended, found.missing) == (True, False, 0)
    assert found.rows[0].requests == 40


def test_times_on_disk_count_from_the_beginning(run: LoadRun) -> None:
    loaded(Generator(told()), run)
    for batch in run.batches(REQUESTS, ("scheduled", "waited")):
        assert np.all(batch.column("scheduled").to_numpy() < 20)
        assert np.max(batch.column("waited").to_numpy()) == pytest.approx(0.4)
    names = json.loads((run.path / "names.json").read_text())
    assert all(len(name) == 3 for name in names)
