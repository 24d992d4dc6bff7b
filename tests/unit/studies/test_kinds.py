"""The study of kinds: its page, its missing runs, and its estimators."""

import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from assay.inputs import claims_file
from assay.run_directory.run import RunDirectory
from scripts.studies import kinds, kinds_estimators, kinds_page
from scripts.studies.kinds_page import KindRun
from scripts.studies.kinds_topics import KINDS, LOG_IN, Kind, write_topic

RATIOS = {"throughput": [0.01, -0.01, 0.0, 0.02]}


def runs_of(kind: str, words: str = "same " * 10, launches: int = 15) -> list[KindRun]:
    return [
        KindRun(kind, seed, word, "", launches, 60.0, 3.5, (), RATIOS)
        for seed, word in enumerate(words.split())
    ]


def good_runs() -> list[KindRun]:
    log_ins = [replace(r, seconds=150.0) for r in runs_of(LOG_IN.name, "same " * 3)]
    return [run for kind in KINDS for run in runs_of(kind.name)] + log_ins


def met(runs: list[KindRun]) -> dict[str, bool | None]:
    return {goal.name: goal.met for goal in kinds_page.goals(runs, 10)}


def without(runs: list[KindRun], kind: str) -> list[KindRun]:
    return [run for run in runs if run.kind != kind]


def test_eight_kinds_and_the_log_ins_are_judged() -> None:
    goals = met(good_runs())
    assert len(KINDS) == 8
    assert len(goals) == 8 + 2 + 2
    assert set(goals.values()) == {True}
    assert set(met([]).values()) == {None}
    assert "Not judged" in kinds_page.page([], 10, [])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("same " * 9 + "undecided", True),
        ("same " * 8 + "undecided undecided", False),
    ],
)
def test_nine_of_ten_must_be_the_same(words: str, expected: bool) -> None:
    runs = without(good_runs(), "pool") + runs_of("pool", words)
    assert met(runs)["pool: *same* after at most 20 launches"] is expected


def test_the_same_after_a_third_look_is_too_late() -> None:
    runs = without(good_runs(), "pool") + runs_of("pool", launches=27)
    assert met(runs)["pool: *same* after at most 20 launches"] is False
    assert met(runs)["false verdicts of all kinds"] is True


def test_one_metric_called_different_is_a_false_verdict() -> None:
    false_run = replace(
        runs_of("pool")[0],
        verdict="undecided",
        comparisons=({"metric": "throughput", "verdict": "slower"},),
    )
    runs = [*good_runs()[1:], false_run]
    assert met(runs)["false verdicts of all kinds"] is False
    measured = {g.name: g.measured for g in kinds_page.goals([false_run], 10)}
    assert measured["false verdicts of all kinds"] == "1 of 1"


def test_few_runs_cannot_show_that_no_verdict_is_false() -> None:
    assert met(without(good_runs(), "pool"))["false verdicts of all kinds"] is None


def test_the_median_run_is_that_of_the_eight() -> None:
    slow = [replace(run, seconds=71.0) for run in good_runs()]
    assert met(slow)["median time of a run"] is False
    log_ins = [run for run in good_runs() if run.kind == LOG_IN.name]
    slow_log_ins = [replace(r, seconds=181.0, launch_seconds=11.0) for r in log_ins]
    goals = met(without(good_runs(), LOG_IN.name) + slow_log_ins)
    assert goals["median time of a run"] is True
    assert goals["log-in: *same* within 180 s"] is False
    assert goals["log-in: median time of a launch"] is False


def test_a_run_that_could_not_be_measured_is_on_the_page_with_its_reason() -> None:
    failed = KindRun("pool", 3, "", "exit code 4: <no> server", 0, 5.0)
    text = kinds_page.page([*runs_of("pool"), failed], 10, [])
    line = next(x for x in text.splitlines() if x.startswith("| pool | 3 |"))
    assert "not measured" in line
    assert "<no>" not in line


def test_missing_runs_go_round_the_kinds_and_leave_out_finished_ones() -> None:
    selected = [*KINDS[:2], LOG_IN]
    first, second = selected[0].name, selected[1].name
    assert kinds.missing([], selected, 2)[:4] == [
        f"{first}/0",
        f"{second}/0",
        "log-in/0",
        f"{first}/1",
    ]
    assert kinds.missing(runs_of(first, "same same"), selected[:1], 2) == []
    missing = kinds.missing(runs_of(first, "same"), selected, 10)
    assert f"{first}/0" not in missing
    assert sum(name.startswith("log-in/") for name in missing) == kinds.LOG_IN_RUNS


@pytest.mark.parametrize("kind", [*KINDS, LOG_IN], ids=lambda kind: kind.name)
def test_every_kind_is_a_topic_that_assay_reads(kind: Kind, tmp_path: Path) -> None:
    folder = tmp_path / kind.name
    write_topic(kind, folder, 1000)
    written = tomllib.loads((folder / "claims.toml").read_text())
    assert written["variants"] == {"base": {}, "other": {}}
    problems: list[str] = []
    topic = claims_file.read(folder / "claims.toml", 0.05, lambda _: None, problems)
    assert not problems
    assert topic and topic.name == kind.name
    compile((folder / "app.py").read_text(), "app.py", "exec")
    compile((folder / "locustfile.py").read_text(), "locustfile.py", "exec")


def rounds_of(
    times: list[float], users: int, began: float = 5.0, gap: float = 0.0
) -> Iterator[tuple[float, float, int]]:
    """Yield start, end and user of each request, for users that ask in rounds."""
    for user in range(users):
        now = began
        for seconds in times:
            yield now, now + seconds, user
            now += seconds + gap


def slice_of(
    times: list[float], users: int, gap: float = 0.0, with_user: bool = True
) -> kinds_estimators.Slice:
    rows = sorted(rounds_of(times, users, gap=gap))
    start, end, user = (np.array(column) for column in zip(*rows, strict=True))
    return kinds_estimators.Slice(5.0, users, start, end, user if with_user else None)


@pytest.mark.parametrize("with_user", [True, False])
def test_estimators_compute_what_their_names_say(with_user: bool) -> None:
    data = slice_of([0.1, 0.02, 0.02], 4, with_user=with_user)
    values = {name: f(data) for name, f in kinds_estimators.ESTIMATORS.items()}
    assert values["count / time until the last end"] == pytest.approx(12 / 0.14)
    assert values["users / mean response"] == pytest.approx(4 / (0.14 / 3))
    assert kinds_estimators.by_later_responses(data) == pytest.approx(4 / 0.02)


def test_gaps_between_requests_of_a_user_are_part_of_the_cycle() -> None:
    data = slice_of([0.1, 0.02, 0.02], 4, gap=0.01)
    assert kinds_estimators.by_cycle(data) == pytest.approx(4 / (0.14 / 3 + 0.01))
    assert kinds_estimators.by_later_cycle(data) == pytest.approx(4 / 0.03)
    without_user = slice_of([0.1, 0.02], 4, gap=0.01, with_user=False)
    assert np.isnan(kinds_estimators.by_cycle(without_user))
    assert np.isnan(kinds_estimators.by_later_responses(slice_of([0.1], 4)))


@pytest.mark.parametrize("with_user", [True, False])
def test_estimators_are_computed_from_stored_runs(
    tmp_path: Path, with_user: bool
) -> None:
    (tmp_path / "samples").mkdir()
    (tmp_path / "plan.json").write_text("{}")
    slices, samples = [], []
    for launch in (1, 2, 3, 4):
        for block in (1, 2):
            for side, factor in (("base", 1.0), ("other", 1.1)):
                disturbed = (launch, block) == (1, 2) and side == "base"
                key = {"launch": launch, "block": block, "variant": side}
                key |= {"mode": "closed", "disturbed": disturbed}
                slices.append({"topic": "pool", **key, "started": 5.0, "users": 4})
                for start, end, user in rounds_of([0.1 * factor, 0.02 * factor], 4):
                    row = {**key, "start": start, "end": end, "failed": False}
                    samples.append({**row, "user": user} if with_user else row)
    pd.DataFrame(slices).to_parquet(tmp_path / "slices.parquet")
    frame = pd.DataFrame(samples)
    counted = [{"topic": "pool", "launch": number} for number in (1, 2, 3)]
    pd.DataFrame(counted).to_parquet(tmp_path / "launches.parquet")
    for launch in (1, 2, 3, 4):
        of_launch = frame[frame["launch"] == launch]
        of_launch.to_parquet(tmp_path / f"samples/pool-{launch:03d}.parquet")
    for name, ratios in kinds_estimators.log_ratios(tmp_path, "pool").items():
        expected = 0 if "gap" in name and not with_user else 3
        assert len(ratios) == expected
        assert ratios == pytest.approx([-np.log(1.1)] * expected, abs=1e-6)
    lines = kinds_estimators.table({"pool": [tmp_path], "lock": []}).splitlines()
    assert len(lines) == 3
    assert lines[2].startswith("| pool | 3 | 0.00 % |")
    assert len(list(kinds_estimators.slices(RunDirectory.open(tmp_path), "pool"))) == 11
