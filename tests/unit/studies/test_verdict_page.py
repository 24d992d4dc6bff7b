"""The page of the study, on outcomes whose every number is known beforehand."""

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
from scripts.studies import outcomes as known
from scripts.studies import verdict_page as page
from scripts.studies import verdict_picture
from scripts.studies.outcomes import Outcome

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
    one = Outcome(noise, effect, rule, metric, verdict, 12, seconds)
    return [one] * number


def good_study() -> list[Outcome]:
    """Return a study of every condition in which every target is met."""
    made: list[Outcome] = []
    for noise, seconds in (("quiet", 40.0), ("burst", 110.0)):
        made += outcomes("same", 99, noise, seconds=seconds)
        made += outcomes("slower", 1, noise, seconds=seconds)
        made += outcomes("slower", 30, noise, rule=RIVAL)
        made += outcomes("same", 20, noise, rule=RIVAL)
        for effect in known.EFFECTS[1:]:
            made += outcomes("slower", 39, noise, effect, seconds=seconds)
            made += outcomes("undecided", 1, noise, effect, seconds=2 * seconds)
            made += outcomes("slower", 25, noise, effect, rule=RIVAL)
            covered = outcomes("slower", 48, noise, effect, metric="cpu_per_request")
            made += [
                replace(o, ratio=1.0497, true_ratio=1.05, covered=index > 0)
                for index, o in enumerate(covered)
            ]
        margin = {"rule": known.MARGIN_RULE, "metric": known.MARGIN_METRIC}
        made += outcomes("same", 19, noise, seconds=59.0, **margin)
        made += outcomes("same", 1, noise, seconds=61.0, **margin)
    return made


def without(made: Sequence[Outcome], **fields: str) -> list[Outcome]:
    dropped = known.chosen(made, **fields)
    assert dropped
    return [o for o in made if o not in dropped]


def judged(made: Sequence[Outcome]) -> dict[str, bool | None]:
    return {target.what: target.met for target in page.targets(made)}


def lines_of(table: str) -> list[list[str]]:
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in table.splitlines()
    ]


def shown(count: int, total: int) -> list[str]:
    low, high = binomial_interval(count, total)
    return [
        f"{count}/{total}",
        f"{100 * count / total:.3g} %",
        f"[{100 * low:.3g} %, {100 * high:.3g} %]",
    ]


def test_false_verdicts_are_counted_by_rule_and_noise() -> None:
    made = [
        *outcomes("faster", 1, "burst"),
        *outcomes("undecided", 19, "burst"),
        *outcomes("faster", 2, rule=RIVAL),
        *outcomes("slower", 3, rule=RIVAL),
        *outcomes("same", 5, rule=RIVAL),
        *outcomes("same", 60),
        *outcomes("slower", 7, effect="+2 % CPU"),
        *outcomes("slower", 7, metric="throughput"),
    ]
    assert lines_of(page.false_verdicts(made))[2:] == [
        ["Assay", "quiet", *shown(0, 60)],
        ["Assay", "burst", *shown(1, 20)],
        [RIVAL, "quiet", *shown(5, 10)],
    ]


def test_power_counts_only_slower_and_gives_medians() -> None:
    made = [
        *outcomes("slower", 3, effect="+5 % CPU", seconds=30.0),
        *outcomes("faster", 1, effect="+5 % CPU", seconds=90.25),
        *outcomes("undecided", 1, effect="+5 % CPU", seconds=100.0),
        *outcomes("slower", 1, "burst", "+2 % CPU", RIVAL, seconds=None),
        *outcomes("slower", 9),
    ]
    made[0] = replace(made[0], launches=60)
    assert lines_of(page.power(made))[2:] == [
        ["+2 % CPU", "burst", RIVAL, *shown(1, 1), "12", "–"],
        ["+5 % CPU", "quiet", "Assay", *shown(3, 5), "12", "30 s"],
    ]


def test_coverage_leaves_out_identical_code_and_other_rules() -> None:
    held = outcomes("slower", 1, effect="+5 % CPU", metric="throughput")[0]
    held = replace(held, covered=True)
    made = [
        *[held] * 3,
        replace(held, noise="burst", covered=False),
        replace(held, covered=None),
        replace(held, effect="A/A"),
        replace(held, rule=known.MARGIN_RULE),
    ]
    assert lines_of(page.coverage(made))[2:] == [
        ["`throughput`", "quiet", *shown(3, 3)],
        ["`throughput`", "burst", *shown(0, 1)],
        ["`throughput`", "**all**", *shown(3, 4)],
    ]


def test_verdicts_are_counted_by_metric() -> None:
    one = Outcome("quiet", "+5 % CPU", "Assay", "throughput", "slower", 12, 9.0)
    made = [
        replace(one, ratio=0.96, true_ratio=0.95),
        replace(one, ratio=0.94, true_ratio=0.95),
        replace(one, verdict="faster", ratio=0.945),
        replace(one, verdict="undecided"),
        replace(one, metric="any"),
        replace(one, rule=RIVAL),
    ]
    assert lines_of(page.verdict_counts(made))[2:] == [
        ["quiet", "+5 % CPU", "`throughput`", "1", "2", "0", "1", "0.945", "0.950"]
    ]


def test_only_in_time_is_the_same_the_same() -> None:
    margin = {"rule": known.MARGIN_RULE, "metric": known.MARGIN_METRIC}
    made = [
        *outcomes("same", 2, seconds=60.0, **margin),
        *outcomes("same", 1, seconds=60.5, **margin),
        *outcomes("same", 1, seconds=None, **margin),
        *outcomes("undecided", 1, seconds=30.0, **margin),
        *outcomes("same", 5, metric=known.MARGIN_METRIC),
    ]
    assert lines_of(page.same_in_time(made))[2:] == [["quiet", *shown(2, 5), "60 s"]]


def test_a_good_study_meets_every_target_and_misses_nothing() -> None:
    made = good_study()
    assert set(judged(made).values()) == {True}
    assert page.missing(made) == []
    assert page.answer(made) == "Assay **meets** 9 of 9 targets."
    table = lines_of(page.target_table(made))[2:]
    assert [line[0] for line in table] == list(judged(made))
    assert {line[3] for line in table} == {"met"}
    found = "1/100 = 1 % [0.0253 %, 5.45 %]"
    assert table[0] == [
        *("false verdicts, quiet", "at most 5 %, upper end 10 %"),
        *(found, "met"),
    ]


def more_false(made: list[Outcome]) -> list[Outcome]:
    return made + outcomes("faster", 5, "burst")


def too_few(made: list[Outcome]) -> list[Outcome]:
    # No false verdict at all, but the interval reaches beyond 10 %.
    return without(made, effect="A/A", noise="quiet", rule="Assay") + outcomes(
        "same", 30
    )


def not_found(made: list[Outcome]) -> list[Outcome]:
    return made + outcomes("undecided", 2, effect="+5 % CPU", seconds=40.0)


def too_slow(made: list[Outcome]) -> list[Outcome]:
    return made + outcomes("slower", 50, "burst", "+5 % CPU", seconds=151.0)


def not_held(made: list[Outcome]) -> list[Outcome]:
    one = outcomes("slower", 1, effect="+2 % CPU", metric="throughput")[0]
    held = [replace(one, covered=True)] * 92
    return made + held + [replace(one, covered=False)] * 8


def not_same(made: list[Outcome]) -> list[Outcome]:
    margin = {"rule": known.MARGIN_RULE, "metric": known.MARGIN_METRIC}
    return made + outcomes("undecided", 2, seconds=30.0, **margin)


@pytest.mark.parametrize(
    ("spoil", "missed", "found"),
    [
        (more_false, "false verdicts, burst", "6/105 = 5.71 %"),
        (too_few, "false verdicts, quiet", "0/30 = 0 % [0 %, 11.6 %]"),
        (not_found, "+5 % CPU called slower, quiet", "39/42 = 92.9 %"),
        (too_slow, "median time for +5 % CPU, burst", "151 s, wanted at most 150 s"),
        (not_held, "coverage on `throughput`", "92/100 = 92 %"),
        (
            not_same,
            "identical code called *same* (Assay, margin 3 %), quiet",
            "19/22 = 86.4 %",
        ),
    ],
)
def test_a_missed_target_is_said_to_be_missed(
    spoil: Callable[[list[Outcome]], list[Outcome]],
    missed: str,
    found: str,
    tmp_path: Path,
) -> None:
    made = spoil(good_study())
    verdicts = judged(made)
    assert [what for what, met in verdicts.items() if met is not True] == [missed]

    page.write(made, {}, tmp_path)
    paragraph = (tmp_path / "verdicts.md").read_text().split("\n\n")[1]
    met, total = len(verdicts) - 1, len(verdicts)
    start = f"Assay **meets** {met} of {total} targets. It **misses** 1: {missed}: "
    assert paragraph.startswith(start + found)
    (line,) = [x for x in lines_of(page.target_table(made)) if x[0] == missed]
    assert line[3] == "**missed**"
    assert page.target_table(made) in (tmp_path / "verdicts.md").read_text()


@pytest.mark.parametrize(
    ("noise", "effect", "target"),
    [
        ("burst", "A/A", "false verdicts, burst"),
        ("quiet", "+5 % CPU", "+5 % CPU called slower, quiet"),
    ],
)
def test_a_stopped_study_says_what_is_missing(
    noise: str, effect: str, target: str
) -> None:
    made = without(good_study(), noise=noise, effect=effect, metric="any")
    assert judged(made)[target] is None
    assert set(judged(made).values()) == {True, None}
    assert page.missing(made) == [
        f"Assay, {noise}: {effect}",
        f"{RIVAL}, {noise}: {effect}",
    ]
    said = page.answer(made)
    assert f"**Not judged**, for want of outcomes: {target}" in said
    assert f"{target}: 0/0" not in said
    (line,) = [x for x in lines_of(page.target_table(made)) if x[0] == target]
    assert line[2:] == ["–", "not judged"]


def test_a_rival_or_the_margin_that_was_left_out_is_missing() -> None:
    made = without(good_study(), rule=known.MARGIN_RULE, noise="burst")
    made = without(made, rule=RIVAL, noise="burst", effect="+2 % CPU")
    assert page.missing(made) == [
        f"{RIVAL}, burst: +2 % CPU",
        "Assay, margin 3 %, burst: A/A",
    ]


def test_unknown_times_leave_the_median_open() -> None:
    made = outcomes("slower", 40, effect="+5 % CPU", seconds=None)
    assert judged(made)["+5 % CPU called slower, quiet"] is True
    assert judged(made)["median time for +5 % CPU, quiet"] is None


def test_a_study_without_any_outcome_is_a_page_all_the_same(tmp_path: Path) -> None:
    page.write([], {}, tmp_path)
    text = (tmp_path / "verdicts.md").read_text()
    assert "Assay **meets** none of 9 targets. **Not judged**" in text
    assert "**misses**" not in text
    assert text.count("Not measured.") == 5
    assert "The conditions were not recorded." in text
    assert "- Assay, quiet: A/A, +2 % CPU," in text
    assert texts(verdict_picture.picture([])).count("not measured") == 2


def test_the_page_has_the_conditions_the_tables_and_how_to_repeat_it(
    tmp_path: Path,
) -> None:
    made = good_study()
    page.write(made, {"machine": "2 cores | <b>", "date": "today"}, tmp_path / "new")
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
        assert table(made) in text
    assert "$ ./scripts/study_verdicts\n" in text
    assert "](verdicts.png)" in text
    assert "Missing" not in text
    assert imread(tmp_path / "new" / "verdicts.png").shape[:2] == (1200, 2200)


def texts(figure: Figure) -> list[str]:
    return [found.get_text() for found in figure.findobj(Text) if found.get_text()]


def test_the_picture_names_every_row_and_curve_with_its_number() -> None:
    words = texts(verdict_picture.picture(good_study()))
    for row in ("Assay", "threshold 5\u00a0%", "quiet 1/100", "burst 30/50"):
        assert row in words
    for effect in known.EFFECTS[1:]:
        for noise in known.NOISES:
            assert f"{effect}, {noise} 97.5 %" in words


def test_curves_rise_at_the_times_of_the_verdicts() -> None:
    made = [
        *outcomes("slower", 1, effect="+5 % CPU", seconds=30.0),
        *outcomes("slower", 1, effect="+5 % CPU", seconds=20.0),
        *outcomes("undecided", 1, effect="+5 % CPU", seconds=10.0),
        *outcomes("same", 1, effect="+5 % CPU", seconds=80.0),
    ]
    right = verdict_picture.picture(made).axes[1]
    curve = np.asarray(right.lines[0].get_xydata()).tolist()
    assert curve == [[0, 0], [20, 25], [30, 50], [80, 50]]
    assert right.lines[0].get_drawstyle() == "steps-post"


def test_labels_keep_apart_and_below_the_top() -> None:
    wanted = [100.0, 100.0, 50.0, 99.0, 51.0]
    places = verdict_picture._apart(wanted, 4.0, 102.0)
    assert places == [100.0, 96.0, 47.0, 92.0, 51.0]
    assert verdict_picture._apart([105.0], 4.0, 102.0) == [102.0]
