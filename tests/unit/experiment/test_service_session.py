"""Launches of a service: users and log-ins first, then the cores, then the slices."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from assay.analysis import looks, measurements
from assay.errors import MeasureError
from assay.experiment import calibration, target
from assay.experiment.context import Experiment
from assay.experiment.deadlines import Deadline
from assay.experiment.service_session import ServiceSession
from assay.experiment.target import RunningTarget
from assay.load.answers import OnStartResult, Slice
from assay.load.control.generator import Generator
from assay.metrics import OF_REQUEST
from assay.plan import AA_SUFFIX, Load, Preset, Settings
from assay.system.processes import Cores
from tests.unit.synthetic import claim, plan, taken

FINE = OnStartResult(seconds=1.0, requests=0, failed=0, errors={})

CPU = "cpu_per_request"


@dataclass
class Played:
    """Takes the place of the generator, and notes the order of events."""

    log_ins: dict[str, OnStartResult] = field(default_factory=dict)
    short: int = 0
    foreign_share: float = 0.0
    told: list[Any] = field(default_factory=list)

    def attach(
        self,
        hosts: Mapping[str, str],
        pids: Mapping[str, Sequence[int]],
        cores: Sequence[int],
        users: int,
        max_users: int,
    ) -> dict[str, OnStartResult]:
        self.told.append(("attach", users, max_users))
        return {
            name: self.log_ins.get(name.removesuffix(AA_SUFFIX), FINE) for name in hosts
        }

    def touch(self, variant: str, drain: float) -> Slice:
        self.told.append("touch")
        return taken("open", variant=variant)

    def grow(self, users: int) -> None:
        self.short = 0

    def detach(self) -> None:
        self.told.append("detach")

    def closed(self, variant: str, *_: object, drain: float) -> Slice:
        return taken(ends=[0.1] * 300, variant=variant, generator_cpu=0.5)

    def open(self, variant: str, *_: object, drain: float) -> Slice:
        made = taken("open", ends=[0.1] * 20, variant=variant, short=self.short, peak=9)
        return replace(made, foreign=self.foreign_share * made.duration)


@dataclass
class Kept:
    """Takes the place of the run directory."""

    slices: list[dict[str, Any]] = field(default_factory=list)
    values: list[dict[str, Any]] = field(default_factory=list)
    samples: list[Any] = field(default_factory=list)

    def append_launch(
        self, topic: str, launch: int, slices: Any, values: Any, samples: Any
    ) -> None:
        self.slices += slices
        self.values += values
        self.samples.append(samples)


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ServiceSession:
    """Return a session of variants a and b, whose servers are never started."""
    played = Played()

    @contextlib.contextmanager
    def launched(
        topic: Any, variants: Any, environment: Any, folder: Any, cores: Any, rng: Any
    ) -> Iterator[dict[str, RunningTarget]]:
        assert cores == (), "they are pinned after the log-ins"
        yield {
            v.name: RunningTarget(v, f"http://{v.name}", None, None) for v in variants
        }

    def pin(running: RunningTarget, cores: Sequence[int]) -> None:
        played.told.append(("pin", running.variant.name, tuple(cores)))

    monkeypatch.setattr(target, "launched", launched)
    monkeypatch.setattr(RunningTarget, "pin", pin)
    monkeypatch.setattr(calibration, "spin", lambda cores: 0.01)
    progress: Any = None
    run: Any = Kept()
    experiment = Experiment(
        plan(), looks.looks_of(plan()), run, progress, Cores((0,), (1,)), tmp_path
    )
    topic = plan().topics[0]
    load = Load(users=4, connections=16, arrival_rate=100.0)
    scenario = topic.scenario.model_copy(update={"load": load})
    topic = topic.model_copy(update={"scenario": scenario})
    generator = cast(Generator, played)
    return ServiceSession(experiment, topic, tmp_path, {}, generator)


def played(session: ServiceSession) -> Played:
    return cast(Played, session.generator)


def test_log_ins_come_before_the_servers_are_pinned(session: ServiceSession) -> None:
    assert session.launch(2)
    told = played(session).told
    assert told[0] == ("attach", 4, 16)
    assert sorted(told[1:3]) == [("pin", "a", (0,)), ("pin", "b", (0,))]
    assert told[3:] == ["touch", "touch", "detach"]


def test_the_next_launch_begins_with_as_many_users_as_were_needed(
    session: ServiceSession,
) -> None:
    played(session).short = 9
    assert session.launch(2)
    assert session.users == 9
    assert session.launch(3)
    attached = [told for told in played(session).told if told[0] == "attach"]
    assert attached == [("attach", 4, 16), ("attach", 9, 16)]


def test_slices_whose_cores_others_took_make_no_users(session: ServiceSession) -> None:
    played(session).short = 9
    played(session).foreign_share = 0.2
    session.launch(2)
    assert session.users == 0


def test_log_ins_that_all_fail_are_said(session: ServiceSession) -> None:
    errors = {"POST /login: 401": 7, "POST http://b/x: refused": 1}
    failed = replace(FINE, requests=8, failed=8, errors=errors)
    played(session).log_ins["b"] = failed
    with pytest.raises(MeasureError, match="'b' failed .8 of 8.*401") as caught:
        session.launch(2)
    assert "log in with users that the target has" in str(caught.value)


def test_log_ins_some_of_which_fail_are_said_once(session: ServiceSession) -> None:
    some = replace(FINE, requests=8, failed=2, errors={"GET http://a/x: no": 2})
    played(session).log_ins["a"] = some
    assert session.launch(2) and session.launch(3)
    (warning,) = session.experiment.warnings
    assert warning == (
        "shop: variant a: 2 of 8 requests of on_start failed, most often: GET /x: no"
    )


def test_a_launch_keeps_where_its_time_went(session: ServiceSession) -> None:
    session.launch(1)
    kept = cast(Kept, session.experiment.run)
    values = {(row["variant"], row["metric"]): row["value"] for row in kept.values}
    parts = [values["", f"seconds.{part}"] for part in measurements.TIME_PARTS]
    assert all(seconds >= 0 for seconds in parts)
    assert sum(parts) == pytest.approx(values["", "seconds"], abs=0.1)
    assert (
        values["a", measurements.GENERATOR_SHARE]
        == values["b", measurements.GENERATOR_SHARE]
        == 0.5
    )
    assert ("a" + AA_SUFFIX, measurements.GENERATOR_SHARE) not in values
    samples = kept.samples[0]
    assert set(samples["name"]) == {"GET /"}
    assert {"waited", "user"} <= set(samples.columns)


def test_a_launch_without_time_is_cut_and_says_nothing(session: ServiceSession) -> None:
    over = Deadline(0.0)
    assert not session.launch(1, over)
    assert session.schedule is None and session.cut
    assert session.launch(2) and not session.cut
    assert not session.launch(3, over)
    kept = cast(Kept, session.experiment.run)
    assert kept.samples[0] is None and kept.samples[2] is None
    lost = [row for row in kept.values if row["launch"] != 2]
    # Only the times of a lost launch are kept.
    assert {row["metric"] for row in lost} == {
        f"seconds.{p}" for p in measurements.TIME_PARTS
    }
    assert all(row["variant"] == "" for row in lost)


@dataclass
class Seen:
    """Takes the place of the results so far."""

    comparisons: list[Any]


@pytest.mark.parametrize(
    ("asked", "verdict", "differs", "is_claimed", "metric", "is_profiled"),
    [
        (None, "same", False, False, CPU, False),
        (None, "undecided", False, False, CPU, False),
        (None, "slower", False, False, CPU, True),
        (None, "same", True, False, CPU, True),  # a metric that does not decide
        (None, "same", False, True, CPU, True),
        (True, "same", False, False, CPU, True),
        (None, "faster", True, False, OF_REQUEST, False),
        (None, "slower", False, False, OF_REQUEST, True),
    ],
)
def test_pairs_that_differ_or_have_a_claim_are_profiled(
    session: ServiceSession,
    monkeypatch: pytest.MonkeyPatch,
    asked: bool | None,
    verdict: str,
    differs: bool,
    is_claimed: bool,
    metric: str,
    is_profiled: bool,
) -> None:
    topic = session.topic.model_copy(
        update={"claims": (claim("faster"),) if is_claimed else ()}
    )
    topic = topic.model_copy(
        update={"target": topic.target.model_copy(update={"command": "serve"})}
    )
    session.topic = topic
    preset = Preset(name="cpu", title="CPU", profiler="py-spy", seconds=1)
    settings = Settings(profile=asked)
    session.experiment.plan = plan().model_copy(
        update={"presets": (preset,), "settings": settings, "topics": (topic,)}
    )
    item = SimpleNamespace(
        topic="shop",
        baseline="a",
        candidate="b",
        metric=metric,
        verdict=verdict,
        differs=differs,
    )
    monkeypatch.setattr(Experiment, "results", lambda *_, **__: Seen([item]))
    assert session._pairs_to_profile() == ([("a", "b")] if is_profiled else [])
    # A server that runs already has no process to start with a probe inside.
    session.topic = topic.model_copy(
        update={"target": topic.target.model_copy(update={"url": "http://shop"})}
    )
    session.topic = session.topic.model_copy(
        update={
            "target": session.topic.target.model_copy(update={"command": None}),
        }
    )
    assert session._pairs_to_profile() == []
