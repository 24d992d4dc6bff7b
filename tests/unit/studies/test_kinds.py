"""The study of kinds: its page, what is left to run, and its estimators."""

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
from scripts.studies.kinds_known import KINDS, LOG_IN, Kind, write
from scripts.studies.kinds_page import Found

RATIOS = {"throughput": [0.01, -0.01, 0.0, 0.02]}


def runs(kind: str, words: str = "same " * 10, launches: int = 15) -> list[Found]:
    return [
        Found(kind, seed, word, "", launches, 60.0, 3.5, (), RATIOS)
        for seed, word in enumerate(words.split())
    ]


def good() -> list[Found]:
    log_ins = [replace(one, seconds=150.0) for one in runs(LOG_IN.name, "same " * 3)]
    return [one for kind in KINDS for one in runs(kind.name)] + log_ins


def judged(found: list[Found]) -> dict[str, bool | None]:
    return {target.what: target.met for target in kinds_page.targets(found, 10)}


def without(found: list[Found], kind: str) -> list[Found]:
    return [one for one in found if one.kind != kind]


def test_eight_kinds_are_judged_and_the_log_ins_apart() -> None:
    met = judged(good())
    assert len(KINDS) == 8
    assert len(met) == 8 + 2 + 2
    assert set(met.values()) == {True}
    assert set(judged([]).values()) == {None}
    assert "Not judged" in kinds_page.page([], 10, [])


@pytest.mark.parametrize(
    ("words", "met"),
    [
        ("same " * 9 + "undecided", True),
        ("same " * 8 + "undecided undecided", False),
    ],
)
def test_nine_of_ten_must_be_the_same(words: str, met: bool) -> None:
    found = without(good(), "pool") + runs("pool", words)
    assert judged(found)["pool: *same* after at most 20 launches"] is met


def test_the_same_after_a_third_look_is_too_late() -> None:
    found = without(good(), "pool") + runs("pool", launches=27)
    assert judged(found)["pool: *same* after at most 20 launches"] is False
    assert judged(found)["false verdicts of all kinds"] is True


def test_one_metric_called_different_is_a_false_verdict() -> None:
    odd = replace(
        runs("pool")[0],
        verdict="undecided",
        comparisons=({"metric": "throughput", "verdict": "slower"},),
    )
    assert judged([*good()[1:], odd])["false verdicts of all kinds"] is False
    some = {t.what: t.found for t in kinds_page.targets([odd], 10)}
    assert some["false verdicts of all kinds"] == "1 of 1"


def test_few_runs_cannot_show_that_no_verdict_is_false() -> None:
    assert judged(without(good(), "pool"))["false verdicts of all kinds"] is None


def test_the_median_run_is_that_of_the_eight() -> None:
    slow = [replace(one, seconds=71.0) for one in good()]
    assert judged(slow)["median time of a run"] is False
    log_ins = [one for one in good() if one.kind == LOG_IN.name]
    long = [replace(one, seconds=181.0, launch_seconds=11.0) for one in log_ins]
    met = judged(without(good(), LOG_IN.name) + long)
    assert met["median time of a run"] is True
    assert met["log-in: *same* within 180 s"] is False
    assert met["log-in: median time of a launch"] is False


def test_what_could_not_be_measured_is_on_the_page_with_its_reason() -> None:
    failed = Found("pool", 3, "", "exit code 4: <no> server", 0, 5.0)
    text = kinds_page.page([*runs("pool"), failed], 10, [])
    line = next(x for x in text.splitlines() if x.startswith("| pool | 3 |"))
    assert "not measured" in line
    assert "<no>" not in line


def test_runs_go_round_the_kinds_and_what_is_there_is_kept() -> None:
    chosen = [*KINDS[:2], LOG_IN]
    first, second = chosen[0].name, chosen[1].name
    assert kinds.missing([], chosen, 2)[:4] == [
        f"{first}/0",
        f"{second}/0",
        "log-in/0",
        f"{first}/1",
    ]
    assert kinds.missing(runs(first, "same same"), chosen[:1], 2) == []
    left = kinds.missing(runs(first, "same"), chosen, 10)
    assert f"{first}/0" not in left
    assert sum(number.startswith("log-in/") for number in left) == kinds.LOG_IN_RUNS


@pytest.mark.parametrize("kind", [*KINDS, LOG_IN], ids=lambda kind: kind.name)
def test_every_kind_is_a_topic_that_assay_reads(kind: Kind, tmp_path: Path) -> None:
    folder = tmp_path / kind.name
    write(kind, folder, 1000)
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
    """Yield start, end and user of users that ask one round after the other."""
    for user in range(users):
        now = began
        for seconds in times:
            yield now, now + seconds, user
            now += seconds + gap


def slice_of(
    times: list[float], users: int, gap: float = 0.0, known: bool = True
) -> kinds_estimators.Slice:
    rows = sorted(rounds_of(times, users, gap=gap))
    start, end, user = (np.array(column) for column in zip(*rows, strict=True))
    return kinds_estimators.Slice(5.0, users, start, end, user if known else None)


@pytest.mark.parametrize("known", [True, False])
def test_estimators_say_what_they_are_named_after(known: bool) -> None:
    found = slice_of([0.1, 0.02, 0.02], 4, known=known)
    made = {k.strip(): v(found) for k, v in kinds_estimators.ESTIMATORS.items()}
    assert made["count / time until the last end"] == pytest.approx(12 / 0.14)
    assert made["users / mean response"] == pytest.approx(4 / (0.14 / 3))
    assert kinds_estimators.by_later_responses(found) == pytest.approx(4 / 0.02)


def test_gaps_between_requests_of_a_user_are_part_of_the_cycle() -> None:
    found = slice_of([0.1, 0.02, 0.02], 4, gap=0.01)
    assert kinds_estimators.by_cycle(found) == pytest.approx(4 / (0.14 / 3 + 0.01))
    assert kinds_estimators.by_later_cycle(found) == pytest.approx(4 / 0.03)
    unknown = slice_of([0.1, 0.02], 4, gap=0.01, known=False)
    assert np.isnan(kinds_estimators.by_cycle(unknown))
    assert np.isnan(kinds_estimators.by_later_responses(slice_of([0.1], 4)))


@pytest.mark.parametrize("known", [True, False])
def test_estimators_are_computed_from_what_runs_have_kept(
    tmp_path: Path, known: bool
) -> None:
    (tmp_path / "samples").mkdir()
    (tmp_path / "plan.json").write_text("{}")
    slices, samples = [], []
    for launch in (1, 2, 3, 4):
        for block in (1, 2):
            for side, slower in (("base", 1.0), ("other", 1.1)):
                lost = (launch, block) == (1, 2) and side == "base"
                key = {"launch": launch, "block": block, "variant": side}
                key |= {"mode": "closed", "disturbed": lost}
                slices.append({"topic": "pool", **key, "started": 5.0, "users": 4})
                for start, end, user in rounds_of([0.1 * slower, 0.02 * slower], 4):
                    row = {**key, "start": start, "end": end, "failed": False}
                    samples.append({**row, "user": user} if known else row)
    pd.DataFrame(slices).to_parquet(tmp_path / "slices.parquet")
    frame = pd.DataFrame(samples)
    counted = [{"topic": "pool", "launch": number} for number in (1, 2, 3)]
    pd.DataFrame(counted).to_parquet(tmp_path / "launches.parquet")
    for launch in (1, 2, 3, 4):
        own = frame[frame["launch"] == launch]
        own.to_parquet(tmp_path / f"samples/pool-{launch:03d}.parquet")
    found = kinds_estimators.log_ratios(tmp_path, "pool")
    for name, ratios in found.items():
        expected = 0 if "gap" in name and not known else 3
        if name.endswith(" ") and not known:
            expected = 0
        assert len(ratios) == expected
        assert ratios == pytest.approx([-np.log(1.1)] * expected, abs=1e-6)
    lines = kinds_estimators.table({"pool": [tmp_path], "lock": []}).splitlines()
    assert len(lines) == 3
    assert lines[2].startswith("| pool | 3 | 0.00 % |")
    assert len(list(kinds_estimators.slices(RunDirectory.open(tmp_path), "pool"))) == 11
