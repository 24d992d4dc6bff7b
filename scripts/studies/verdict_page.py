"""The page of the verdict study: verdicts.md and verdicts.png, from its outcomes.

Every number on the page is computed from the given outcomes. The page also says what
was not measured, and which goals are met or missed.
"""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from assay.report.markdown import escape
from assay.wording import percent
from scripts.studies import pages
from scripts.studies.outcomes import (
    ANY,
    ASSAY,
    EFFECTS,
    IDENTICAL,
    MARGIN_METRIC,
    MARGIN_RULE,
    MAX_FALSE,
    MAX_FALSE_UPPER_END,
    MAX_SAME_SECONDS,
    MAX_SECONDS,
    MIN_COVERAGE,
    MIN_POWER,
    MIN_SAME,
    NOISES,
    POWER_EFFECT,
    VERDICTS,
    Outcome,
    Share,
    grouped,
    is_covered,
    is_different,
    is_same_in_time,
    is_slower,
    of_identical_code,
    select,
    under_tight_margin,
    with_true_ratio,
)
from scripts.studies.pages import Goal, markdown_table
from scripts.studies.verdict_picture import picture


def false_verdicts(outcomes: Sequence[Outcome]) -> str:
    """Return the table of how often identical code is called different."""
    rows = [
        [escape(rule), noise, *Share.of(group, is_different).cells()]
        for (rule, noise), group in grouped(
            of_identical_code(outcomes), "rule", "noise"
        )
    ]
    return markdown_table(["rule", "noise", "false", "share", "95 % interval"], rows)


def power(outcomes: Sequence[Outcome]) -> str:
    """Return the table of how often and how soon slower code is called slower."""
    slowed = [o for o in select(outcomes, metric=ANY) if o.effect != IDENTICAL]
    rows = [
        [
            *(effect, noise, escape(rule)),
            *Share.of(group, is_slower).cells(),
            f"{statistics.median(o.launches for o in group):g}",
            _seconds(_median(o.seconds for o in group)),
        ]
        for (effect, noise, rule), group in grouped(slowed, "effect", "noise", "rule")
    ]
    header = ["effect", "noise", "rule", "slower", "share", "95 % interval"]
    return markdown_table([*header, "median launches", "median time"], rows)


def coverage(outcomes: Sequence[Outcome]) -> str:
    """Return the table of how often Assay's interval contains the injected effect."""
    rows = []
    for (metric,), both_noises in grouped(with_true_ratio(outcomes), "metric"):
        by_noise = [*grouped(both_noises, "noise"), (("**all**",), both_noises)]
        for (noise,), group in by_noise:
            rows.append([f"`{metric}`", noise, *Share.of(group, is_covered).cells()])
    return markdown_table(
        ["metric", "noise", "contained", "share", "95 % interval"], rows
    )


def verdict_counts(outcomes: Sequence[Outcome]) -> str:
    """Return the table of Assay's verdicts on every metric."""
    by_metric = [o for o in select(outcomes, rule=ASSAY) if o.metric != ANY]
    keys = ("noise", "effect", "metric")
    rows = [
        [
            *(noise, effect, f"`{metric}`"),
            *(str(sum(o.verdict == word for o in group)) for word in VERDICTS),
            _ratio(_median(o.ratio for o in group)),
            _ratio(_median(o.true_ratio for o in group)),
        ]
        for (noise, effect, metric), group in grouped(by_metric, *keys)
    ]
    return markdown_table([*keys, *VERDICTS, "median ratio", "injected"], rows)


def same_in_time(outcomes: Sequence[Outcome]) -> str:
    """Return the table of how often identical code is called *same* soon enough."""
    rows = [
        [
            *(noise, *Share.of(group, is_same_in_time).cells()),
            _seconds(_median(o.seconds for o in group)),
        ]
        for (noise,), group in grouped(under_tight_margin(outcomes), "noise")
    ]
    header = ["noise", f"*same* within {_seconds(MAX_SAME_SECONDS)}", "share"]
    return markdown_table([*header, "95 % interval", "median time"], rows)


def goals(outcomes: Sequence[Outcome]) -> list[Goal]:
    """Judge Assay by every goal, for each noise and each metric separately."""
    comparisons = select(outcomes, rule=ASSAY, metric=ANY)
    return [
        *(_false_verdict_goal(comparisons, noise) for noise in NOISES),
        *(goal for noise in NOISES for goal in _power_goals(comparisons, noise)),
        *_coverage_goals(outcomes),
        *(_same_in_time_goal(outcomes, noise) for noise in NOISES),
    ]


def _false_verdict_goal(comparisons: Sequence[Outcome], noise: str) -> Goal:
    share = Share.of(select(comparisons, noise=noise, effect=IDENTICAL), is_different)
    upper_end = percent(MAX_FALSE_UPPER_END)
    required = f"at most {percent(MAX_FALSE)}, upper end {upper_end}"
    met = share.value <= MAX_FALSE and share.interval[1] <= MAX_FALSE_UPPER_END
    return _share_goal(f"false verdicts, {noise}", required, share, met)


def _power_goals(comparisons: Sequence[Outcome], noise: str) -> list[Goal]:
    slowed = select(comparisons, noise=noise, effect=POWER_EFFECT)
    share = Share.of(slowed, is_slower)
    median = _median(outcome.seconds for outcome in slowed)
    limit = MAX_SECONDS[noise]
    return [
        _share_goal(
            f"{POWER_EFFECT} called slower, {noise}",
            f"at least {percent(MIN_POWER)}",
            share,
            share.value >= MIN_POWER,
        ),
        Goal(
            f"median time for {POWER_EFFECT}, {noise}",
            f"at most {_seconds(limit)}",
            _seconds(median),
            None if median is None else median <= limit,
        ),
    ]


def _coverage_goals(outcomes: Sequence[Outcome]) -> list[Goal]:
    by_metric = [
        (f"`{metric}`", group)
        for (metric,), group in grouped(with_true_ratio(outcomes), "metric")
    ]
    goals_of_metrics = []
    for name, group in by_metric or [("any metric", [])]:
        share = Share.of(group, is_covered)
        required = f"at least {percent(MIN_COVERAGE)}"
        met = share.value >= MIN_COVERAGE
        goals_of_metrics.append(
            _share_goal(f"coverage on {name}", required, share, met)
        )
    return goals_of_metrics


def _same_in_time_goal(outcomes: Sequence[Outcome], noise: str) -> Goal:
    group = select(under_tight_margin(outcomes), noise=noise)
    share = Share.of(group, is_same_in_time)
    required = f"at least {percent(MIN_SAME)} within {_seconds(MAX_SAME_SECONDS)}"
    name = f"identical code called *same* ({MARGIN_RULE}), {noise}"
    return _share_goal(name, required, share, share.value >= MIN_SAME)


def missing(outcomes: Sequence[Outcome]) -> list[str]:
    """Return a line for each rule and noise that lacks outcomes, with the effects."""
    comparisons = [o for o in select(outcomes, metric=ANY) if o.rule != MARGIN_RULE]
    measured = {
        (o.rule, o.noise, o.effect)
        for o in [*comparisons, *under_tight_margin(outcomes)]
    }
    required = {rule: EFFECTS for rule in (ASSAY, *(o.rule for o in comparisons))}
    lines = []
    for rule, effects in [*required.items(), (MARGIN_RULE, (IDENTICAL,))]:
        for noise in NOISES:
            if absent := [e for e in effects if (rule, noise, e) not in measured]:
                lines.append(f"{escape(rule)}, {noise}: {', '.join(absent)}")
    return lines


def goal_table(outcomes: Sequence[Outcome]) -> str:
    """Return the table of all goals, with what was measured."""
    return pages.goal_table(goals(outcomes))


def goal_summary(outcomes: Sequence[Outcome]) -> str:
    """Return the paragraph that says how many goals are met, and which are not."""
    return pages.goal_summary(goals(outcomes))


def write(
    outcomes: Sequence[Outcome], conditions: Mapping[str, str], folder: Path
) -> None:
    """Write verdicts.md and verdicts.png.

    Args:
        outcomes: The outcomes of all measured conditions; there may be none.
        conditions: What was measured and on which machine, by name.
        folder: Where to write; it is made if it does not exist.
    """
    condition_lines = [f"- **{escape(k)}:** {escape(v)}" for k, v in conditions.items()]
    missing_lines = [f"- {line}" for line in missing(outcomes)]
    parts = [
        "# How often is a verdict wrong, and how soon is it right?",
        goal_summary(outcomes),
        "![Left: how often each rule calls identical code different. Right: how soon "
        "Assay calls slower code slower. The tables have the same numbers.]"
        "(verdicts.png)",
        goal_table(outcomes),
        *(
            ["**Missing**, not measured:", "\n".join(missing_lines)]
            if missing_lines
            else []
        ),
        "## How it was measured",
        "A verdict of *faster* or *slower* on identical code is false. On slower code "
        "only *slower* is right. If no metric is named, a verdict is the overall "
        "verdict of a comparison. Intervals of shares are exact (Clopper-Pearson). "
        "`scripts/studies/rivals.py` says what each rival rule does and where it comes "
        "from.",
        "\n".join(condition_lines) or "The conditions were not recorded.",
        "## False verdicts on identical code",
        false_verdicts(outcomes),
        "## Slower code called slower",
        "Launches and time are medians over all comparisons, decided or not.",
        power(outcomes),
        "## Coverage of the injected effect by Assay's interval",
        coverage(outcomes),
        "## Assay's verdicts by metric",
        "Ratios are candidate / baseline.",
        verdict_counts(outcomes),
        f"## Identical code called the same: {MARGIN_RULE}, `{MARGIN_METRIC}`",
        same_in_time(outcomes),
        "## How to repeat it",
        "```console\n$ ./scripts/study_verdicts\n```",
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "verdicts.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    picture(outcomes).savefig(folder / "verdicts.png", metadata={"Software": None})


def _share_goal(name: str, required: str, share: Share, met: bool) -> Goal:
    """Return a goal for a share; it is not judged if nothing was measured."""
    measured = "{} = {} {}".format(*share.cells())
    return Goal(name, required, measured, met if share.total else None)


def _median(values: Iterable[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    return statistics.median(numbers) if numbers else None


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{round(value, 1):g} s"


def _ratio(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
