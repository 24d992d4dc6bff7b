"""The page of the verdict study, on outcomes with known numbers."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.text import Text

from assay.analysis.statistics import binomial_interval
from assay.results import Verdict
from scripts.studies import verdict_page as page
from scripts.studies import verdict_picture
from scripts.studies.outcomes import (
    EFFECTS,
    MARGIN_METRIC,
    MARGIN_RULE,
    NOISES,
    Outcome,
    select,
)

RIVAL = "threshold 5 %"


def outcomes(
    verdict: Verdict,
    number: int,
    noise: str = "quiet",
    effect: str = "A/A",
    rule: str = "Assay",
    metric: str = "any",
    seconds: float | None = 50.0,
) -> list[Outcome]:
    return [Outcome(noise, effect, rule, metric, verdict, 12, seconds)] * number


def good_study() -> list[Outcome]:
    """Return a study of all conditions that meets every goal."""
    study: list[Outcome] = []
    for noise, seconds in (("quiet", 40.0), ("burst", 110.0)):
        study += outcomes("same", 99, noise, seconds=seconds)
        study += outcomes("slower", 1, noise, seconds=seconds)
        study += outcomes("slower", 30, noise, rule=RIVAL)
        study += outcomes("same", 20, noise, rule=RIVAL)
        for effect in EFFECTS[1:]:
            study += outcomes("slower", 39, noise, effect, seconds=seconds)
            study += outcomes("undecided", 1, noise, effect, seconds=2 * seconds)
            study += outcomes("slower", 25, noise, effect, rule=RIVAL)
            covered = outcomes("slower", 48, noise, effect, metric="cpu_per_request")
            study += [
                replace(o, ratio=1.0497, true_ratio=1.05, covered=index > 0)
                for index, o in enumerate(covered)
            ]
        margin = {"rule": MARGIN_RULE, "metric": MARGIN_METRIC}
        study += outcomes("same", 19, noise, seconds=59.0, **margin)
        study += outcomes("same", 1, noise, seconds=61.0, **margin)
    return study


def without(study: Sequence[Outcome], **fields: str) -> list[Outcome]:
    dropped = select(study, **fields)
    assert dropped
    return [o for o in study if o not in dropped]


def met(study: Sequence[Outcome]) -> dict[str, bool | None]:
    return {goal.name: goal.met for goal in page.goals(study)}


def lines_of(table: str) -> list[list[str]]:
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in table.splitlines()
    ]


def share_cells(count: int, total: int) -> list[str]:
    low, high = binomial_interval(count, total)
    return [
        f"{count}/{total}",
        f"{100 * count / total:.3g} %",
        f"[{100 * low:.3g} %, {100 * high:.3g} %]",
    ]


def test_false_verdicts_are_counted_by_rule_and_noise() -> None:
    study = [
        *outcomes("faster", 1, "burst"),
        *outcomes("undecided", 19, "burst"),
        *outcomes("faster", 2, rule=RIVAL),
        *outcomes("slower", 3, rule=RIVAL),
        *outcomes("same", 5, rule=RIVAL),
        *outcomes("same", 60),
        *outcomes("slower", 7, effect="+2 % CPU"),
        *outcomes("slower", 7, metric="throughput"),
    ]
    assert lines_of(page.false_verdicts(study))[2:] == [
        ["Assay", "quiet", *share_cells(0, 60)],
        ["Assay", "burst", *share_cells(1, 20)],
        [RIVAL, "quiet", *share_cells(5, 10)],
    ]


def test_power_counts_only_slower_and_gives_medians() -> None:
    study = [
        *outcomes("slower", 3, effect="+5 % CPU", seconds=30.0),
        *outcomes("faster", 1, effect="+5 % CPU", seconds=90.25),
        *outcomes("undecided", 1, effect="+5 % CPU", seconds=100.0),
        *outcomes("slower", 1, "burst", "+2 % CPU", RIVAL, seconds=None),
        *outcomes("slower", 9),
    ]
    study[0] = replace(study[0], launches=60)
    assert lines_of(page.power(study))[2:] == [
        ["+2 % CPU", "burst", RIVAL, *share_cells(1, 1), "12", "–"],
        ["+5 % CPU", "quiet", "Assay", *share_cells(3, 5), "12", "30 s"],
    ]


def test_coverage_leaves_out_identical_code_and_other_rules() -> None:
    slower = outcomes("slower", 1, effect="+5 % CPU", metric="throughput")[0]
    covered = replace(slower, covered=True)
    study = [
        *[covered] * 3,
        replace(covered, noise="burst", covered=False),
        replace(covered, covered=None),
        replace(covered, effect="A/A"),
        replace(covered, rule=MARGIN_RULE),
    ]
    assert lines_of(page.coverage(study))[2:] == [
        ["`throughput`", "quiet", *share_cells(3, 3)],
        ["`throughput`", "burst", *share_cells(0, 1)],
        ["`throughput`", "**all**", *share_cells(3, 4)],
    ]


def test_verdicts_are_counted_by_metric() -> None:
    slower = Outcome("quiet", "+5 % CPU", "Assay", "throughput", "slower", 12, 9.0)
    study = [
        replace(slower, ratio=0.96, true_ratio=0.95),
        replace(slower, ratio=0.94, true_ratio=0.95),
        replace(slower, verdict="faster", ratio=0.945),
        replace(slower, verdict="undecided"),
        replace(slower, metric="any"),
        replace(slower, rule=RIVAL),
    ]
    assert lines_of(page.verdict_counts(study))[2:] == [
        ["quiet", "+5 % CPU", "`throughput`", "1", "2", "0", "1", "0.945", "0.950"]
    ]


def test_same_counts_only_in_time() -> None:
    margin = {"rule": MARGIN_RULE, "metric": MARGIN_METRIC}
    study = [
        *outcomes("same", 2, seconds=60.0, **margin),
        *outcomes("same", 1, seconds=60.5, **margin),
        *outcomes("same", 1, seconds=None, **margin),
        *outcomes("undecided", 1, seconds=30.0, **margin),
        *outcomes("same", 5, metric=MARGIN_METRIC),
    ]
    assert lines_of(page.same_in_time(study))[2:] == [
        ["quiet", *share_cells(2, 5), "60 s"]
    ]


def test_a_good_study_meets_every_goal_and_misses_nothing() -> None:
    study = good_study()
    assert set(met(study).values()) == {True}
    assert page.missing(study) == []
    assert page.goal_summary(study) == "Assay **meets** 9 of 9 goals."
    table = lines_of(page.goal_table(study))[2:]
    assert [line[0] for line in table] == list(met(study))
    assert {line[3] for line in table} == {"met"}
    measured = "1/100 = 1 % [0.0253 %, 5.45 %]"
    assert table[0] == [
        *("false verdicts, quiet", "at most 5 %, upper end 10 %"),
        *(measured, "met"),
    ]


def more_false(study: list[Outcome]) -> list[Outcome]:
    return study + outcomes("faster", 5, "burst")


def too_few(study: list[Outcome]) -> list[Outcome]:
    # No false verdict at all, but the interval reaches beyond 10 %.
    return without(study, effect="A/A", noise="quiet", rule="Assay") + outcomes(
        "same", 30
    )


def undecided_slowdowns(study: list[Outcome]) -> list[Outcome]:
    return study + outcomes("undecided", 2, effect="+5 % CPU", seconds=40.0)


def too_slow(study: list[Outcome]) -> list[Outcome]:
    return study + outcomes("slower", 50, "burst", "+5 % CPU", seconds=151.0)


def not_covered(study: list[Outcome]) -> list[Outcome]:
    slower = outcomes("slower", 1, effect="+2 % CPU", metric="throughput")[0]
    covered = [replace(slower, covered=True)] * 92
    return study + covered + [replace(slower, covered=False)] * 8


def not_same(study: list[Outcome]) -> list[Outcome]:
    margin = {"rule": MARGIN_RULE, "metric": MARGIN_METRIC}
    return study + outcomes("undecided", 2, seconds=30.0, **margin)


@pytest.mark.parametrize(
    ("spoil", "missed", "measured"),
    [
        (more_false, "false verdicts, burst", "6/105 = 5.71 %"),
        (too_few, "false verdicts, quiet", "0/30 = 0 % [0 %, 11.6 %]"),
        (undecided_slowdowns, "+5 % CPU called slower, quiet", "39/42 = 92.9 %"),
        (too_slow, "median time for +5 % CPU, burst", "151 s, required at most 150 s"),
        (not_covered, "coverage on `throughput`", "92/100 = 92 %"),
        (
            not_same,
            "identical code called *same* (Assay, margin 3 %), quiet",
            "19/22 = 86.4 %",
        ),
    ],
)
def test_a_missed_goal_is_reported_as_missed(
    spoil: Callable[[list[Outcome]], list[Outcome]],
    missed: str,
    measured: str,
    tmp_path: Path,
) -> None:
    study = spoil(good_study())
    goals = met(study)
    assert [name for name, is_met in goals.items() if is_met is not True] == [missed]

    page.write(study, {}, tmp_path)
    paragraph = (tmp_path / "verdicts.md").read_text().split("\n\n")[1]
    start = f"Assay **meets** {len(goals) - 1} of {len(goals)} goals. "
    start += f"It **misses** 1: {missed}: "
    assert paragraph.startswith(start + measured)
    (line,) = [x for x in lines_of(page.goal_table(study)) if x[0] == missed]
    assert line[3] == "**missed**"
    assert page.goal_table(study) in (tmp_path / "verdicts.md").read_text()


@pytest.mark.parametrize(
    ("noise", "effect", "goal"),
    [
        ("burst", "A/A", "false verdicts, burst"),
        ("quiet", "+5 % CPU", "+5 % CPU called slower, quiet"),
    ],
)
def test_a_stopped_study_names_what_is_missing(
    noise: str, effect: str, goal: str
) -> None:
    study = without(good_study(), noise=noise, effect=effect, metric="any")
    assert met(study)[goal] is None
    assert set(met(study).values()) == {True, None}
    assert page.missing(study) == [
        f"Assay, {noise}: {effect}",
        f"{RIVAL}, {noise}: {effect}",
    ]
    summary = page.goal_summary(study)
    _, _, not_judged = summary.partition("**Not judged**")
    assert f": {goal}" in not_judged
    assert f"{goal}: 0/0" not in summary
    (line,) = [x for x in lines_of(page.goal_table(study)) if x[0] == goal]
    assert line[2:] == ["–", "not judged"]


def test_a_rival_or_margin_without_outcomes_is_missing() -> None:
    study = without(good_study(), rule=MARGIN_RULE, noise="burst")
    study = without(study, rule=RIVAL, noise="burst", effect="+2 % CPU")
    assert page.missing(study) == [
        f"{RIVAL}, burst: +2 % CPU",
        "Assay, margin 3 %, burst: A/A",
    ]


def test_unknown_times_leave_the_median_open() -> None:
    study = outcomes("slower", 40, effect="+5 % CPU", seconds=None)
    assert met(study)["+5 % CPU called slower, quiet"] is True
    assert met(study)["median time for +5 % CPU, quiet"] is None


def test_a_study_without_any_outcome_still_has_a_page(tmp_path: Path) -> None:
    page.write([], {}, tmp_path)
    text = (tmp_path / "verdicts.md").read_text()
    assert "Assay **meets** none of 9 goals. **Not judged**" in text
    assert "**misses**" not in text
    assert text.count("Not measured.") == 5
    assert "The conditions were not recorded." in text
    assert "- Assay, quiet: A/A, +2 % CPU," in text
    assert texts(verdict_picture.picture([])).count("not measured") == 2


def test_the_page_has_the_conditions_the_tables_and_how_to_repeat_it(
    tmp_path: Path,
) -> None:
    study = good_study()
    page.write(study, {"machine": "2 cores | <b>", "date": "today"}, tmp_path / "new")
    text = (tmp_path / "new" / "verdicts.md").read_text()
    assert "- **machine:** 2 cores &#124; &lt;b>\n- **date:** today" in text.replace(
        "&#62;", ">"
    )
    for table in (
        page.false_verdicts,
        page.power,
        page.coverage,
        page.verdict_counts,
        page.same_in_time,
    ):
        assert table(study) in text
    assert "$ ./scripts/study_verdicts\n" in text
    assert "](verdicts.png)" in text
    assert "Missing" not in text
    assert imread(tmp_path / "new" / "verdicts.png").shape[:2] == (1200, 2200)


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def test_the_picture_names_every_row_and_curve_with_its_number() -> None:
    words = texts(verdict_picture.picture(good_study()))
    for row in ("Assay", "threshold 5\u00a0%", "quiet 1/100", "burst 30/50"):
        assert row in words
    for effect in EFFECTS[1:]:
        for noise in NOISES:
            assert f"{effect}, {noise} 97.5 %" in words


def test_curves_rise_at_the_times_of_the_verdicts() -> None:
    study = [
        *outcomes("slower", 1, effect="+5 % CPU", seconds=30.0),
        *outcomes("slower", 1, effect="+5 % CPU", seconds=20.0),
        *outcomes("undecided", 1, effect="+5 % CPU", seconds=10.0),
        *outcomes("same", 1, effect="+5 % CPU", seconds=80.0),
    ]
    right = verdict_picture.picture(study).axes[1]
    curve = np.asarray(right.lines[0].get_xydata()).tolist()
    assert curve == [[0, 0], [20, 25], [30, 50], [80, 50]]
    assert right.lines[0].get_drawstyle() == "steps-post"


def test_labels_keep_apart_and_below_the_top() -> None:
    preferred = [100.0, 100.0, 50.0, 99.0, 51.0]
    heights = verdict_picture._spread_labels(preferred, 4.0, 102.0)
    assert heights == [100.0, 96.0, 47.0, 92.0, 51.0]
    assert verdict_picture._spread_labels([105.0], 4.0, 102.0) == [102.0]
