"""Forecasts of how long a run takes, from earlier runs."""

import os
from pathlib import Path

import pytest

from assay.experiment import earlier_runs
from assay.plan import Plan, Settings, Variant
from assay.results import Comparison, Results
from assay.run_directory.run import RunDirectory
from assay.system import environment, redaction
from tests.unit.synthetic import claim, plan

CPU = "cpu_per_request"


def earlier(
    folder: Path, name: str, of: Plan, seconds: float | None, age: float = 0.0
) -> None:
    """Write a run whose forecast to detect the margin is this many seconds."""
    run = RunDirectory.create(folder / name, of, {})
    comparison = Comparison(
        topic="shop",
        baseline="a",
        candidate="b",
        metric=CPU,
        ratio=1.0,
        low=0.9,
        high=1.1,
        launches=12,
        verdict="undecided",
        seconds_to_see=seconds,
    )
    other = comparison.model_copy(update={"metric": "startup", "seconds_to_see": 9e3})
    found = Results(run=name, partial=False, seed=1, comparisons=(comparison, other))
    run.write_results(found)
    at = 1e9 - age
    os.utime(run.path / "results.json", (at, at))


def test_the_last_run_says_what_the_next_one_needs(tmp_path: Path) -> None:
    earlier(tmp_path, "old", plan(), 60.0, age=100)
    earlier(tmp_path, "new", plan(), 540.0)
    (sentence,) = earlier_runs.duration_forecasts(plan(), tmp_path)
    assert sentence.startswith("shop: judging by run new, ")
    for words in ("5 %", CPU, "9 minutes"):
        assert words in sentence


def test_only_a_run_that_asked_the_same_says_anything(tmp_path: Path) -> None:
    earlier(tmp_path, "other", plan(variants="abc"), 60.0)
    wider = plan().model_copy(update={"settings": Settings(margin=0.1)})
    earlier(tmp_path, "wider", wider, 60.0)
    assert earlier_runs.duration_forecasts(plan(), tmp_path) == []


def test_a_known_secret_elsewhere_is_no_other_question(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redaction, "_known", redaction._Known())
    (topic,) = plan().topics
    scenario = topic.scenario.model_copy(update={"locustfile": Path("k9-dL2x.py")})
    variants = (Variant(name="a", env={"API_KEY": "k9-dL2x"}), Variant(name="b"))
    update = {"scenario": scenario, "variants": variants}
    shop = plan().model_copy(update={"topics": (topic.model_copy(update=update),)})
    earlier(tmp_path, "new", shop, 60.0)
    monkeypatch.setattr(redaction, "_known", redaction._Known())
    (sentence,) = earlier_runs.duration_forecasts(shop, tmp_path)
    assert sentence.startswith("shop: judging by run new")


def test_a_secret_is_no_other_question(tmp_path: Path) -> None:
    (topic,) = plan().topics
    secret = {"API_TOKEN": "abc", "DATABASE_URL": "postgres://me:pw@db/shop"}
    variants = (Variant(name="a", env=secret), Variant(name="b"))
    asks = plan().model_copy(
        update={"topics": (topic.model_copy(update={"variants": variants}),)}
    )
    earlier(tmp_path, "before", environment.redacted(asks), 60.0)
    assert "abc" not in (tmp_path / "before" / "plan.json").read_text()
    (sentence,) = earlier_runs.duration_forecasts(asks, tmp_path)
    assert "by run before," in sentence


def test_only_what_decides_is_forecast(tmp_path: Path) -> None:
    asks = plan(claim("faster", "latency.mean"))
    earlier(tmp_path, "before", asks, 60.0)
    assert earlier_runs.duration_forecasts(asks, tmp_path) == []


@pytest.mark.parametrize("seconds", [None, 60.0])
def test_what_is_damaged_or_unknown_is_passed_over(
    tmp_path: Path, seconds: float | None
) -> None:
    earlier(tmp_path, "good", plan(), 60.0, age=100)
    earlier(tmp_path, "bad", plan(), seconds)
    if seconds:
        (tmp_path / "bad" / "results.json").write_text("{")
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "results.json").write_text("{}")
    (sentence,) = earlier_runs.duration_forecasts(plan(), tmp_path)
    assert "by run good," in sentence


def test_where_nothing_was_measured_nothing_is_said(tmp_path: Path) -> None:
    assert earlier_runs.duration_forecasts(plan(), tmp_path / "reports") == []
