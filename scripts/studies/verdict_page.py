"""From the outcomes of many comparisons to a page: verdicts.md and verdicts.png.

Every number on the page is computed from the outcomes given; what was not
measured is named, and a missed target is said as plainly as one that is met.
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
    HIGHEST_FALSE,
    IDENTICAL,
    LEAST_COVERED,
    LEAST_POWER,
    LEAST_SAME,
    MARGIN_METRIC,
    MARGIN_RULE,
    MOST_FALSE,
    MOST_SECONDS,
    NOISES,
    SAME_SECONDS,
    TARGET_EFFECT,
    VERDICTS,
    Outcome,
    Share,
    chosen,
    covering,
    grouped,
    identical,
    is_covered,
    is_false,
    is_slower,
    is_soon_same,
    with_margin,
)
from scripts.studies.pages import Target, headed
from scripts.studies.verdict_picture import picture


def false_verdicts(outcomes: Sequence[Outcome]) -> str:
    """Return the table of verdicts of a difference on identical code."""
    rows = [
        [escape(rule), noise, *Share.of(own, is_false).cells()]
        for (rule, noise), own in grouped(identical(outcomes), "rule", "noise")
    ]
    return headed(["rule", "noise", "false", "share", "95 % interval"], rows)


def power(outcomes: Sequence[Outcome]) -> str:
    """Return the table of how often and how soon slower code is called slower."""
    measured = [o for o in chosen(outcomes, metric=ANY) if o.effect != IDENTICAL]
    rows = [
        [
            *(effect, noise, escape(rule)),
            *Share.of(own, is_slower).cells(),
            f"{statistics.median(o.launches for o in own):g}",
            _seconds(_median(o.seconds for o in own)),
        ]
        for (effect, noise, rule), own in grouped(measured, "effect", "noise", "rule")
    ]
    head = ["effect", "noise", "rule", "slower", "share", "95 % interval"]
    return headed([*head, "median launches", "median time"], rows)


def coverage(outcomes: Sequence[Outcome]) -> str:
    """Return the table of how often Assay's interval holds the injected effect."""
    rows = []
    for (metric,), both in grouped(covering(outcomes), "metric"):
        for (noise,), own in [*grouped(both, "noise"), (("**all**",), both)]:
            rows.append([f"`{metric}`", noise, *Share.of(own, is_covered).cells()])
    return headed(["metric", "noise", "held", "share", "95 % interval"], rows)


def verdict_counts(outcomes: Sequence[Outcome]) -> str:
    """Return the table of what Assay said of every metric."""
    measured = [o for o in chosen(outcomes, rule=ASSAY) if o.metric != ANY]
    keys = ("noise", "effect", "metric")
    rows = [
        [
            *(noise, effect, f"`{metric}`"),
            *(str(sum(o.verdict == word for o in own)) for word in VERDICTS),
            _ratio(_median(o.ratio for o in own)),
            _ratio(_median(o.true_ratio for o in own)),
        ]
        for (noise, effect, metric), own in grouped(measured, *keys)
    ]
    return headed([*keys, *VERDICTS, "median ratio", "injected"], rows)


def same_in_time(outcomes: Sequence[Outcome]) -> str:
    """Return the table of how often identical code is soon called the same."""
    rows = [
        [
            *(noise, *Share.of(own, is_soon_same).cells()),
            _seconds(_median(o.seconds for o in own)),
        ]
        for (noise,), own in grouped(with_margin(outcomes), "noise")
    ]
    head = ["noise", f"*same* within {_seconds(SAME_SECONDS)}", "share"]
    return headed([*head, "95 % interval", "median time"], rows)


def targets(outcomes: Sequence[Outcome]) -> list[Target]:
    """Judge Assay by every target, each noise and each metric on its own."""
    whole, judged = chosen(outcomes, rule=ASSAY, metric=ANY), []
    for noise in NOISES:
        share = Share.of(chosen(whole, noise=noise, effect=IDENTICAL), is_false)
        wanted = f"at most {percent(MOST_FALSE)}, upper end {percent(HIGHEST_FALSE)}"
        good = share.value <= MOST_FALSE and share.interval[1] <= HIGHEST_FALSE
        judged.append(_target(f"false verdicts, {noise}", wanted, share, good))
    for noise in NOISES:
        own = chosen(whole, noise=noise, effect=TARGET_EFFECT)
        share, median = Share.of(own, is_slower), _median(o.seconds for o in own)
        wanted = f"at least {percent(LEAST_POWER)}"
        what, good = f"{TARGET_EFFECT} called slower", share.value >= LEAST_POWER
        judged.append(_target(f"{what}, {noise}", wanted, share, good))
        wanted = f"at most {_seconds(MOST_SECONDS[noise])}"
        soon = None if median is None else median <= MOST_SECONDS[noise]
        what = f"median time for {TARGET_EFFECT}, {noise}"
        judged.append(Target(what, wanted, _seconds(median), soon))
    named = [(f"`{key[0]}`", o) for key, o in grouped(covering(outcomes), "metric")]
    for name, own in named or [("any metric", [])]:
        share = Share.of(own, is_covered)
        wanted, good = (
            f"at least {percent(LEAST_COVERED)}",
            share.value >= LEAST_COVERED,
        )
        judged.append(_target(f"coverage on {name}", wanted, share, good))
    for noise in NOISES:
        share = Share.of(chosen(with_margin(outcomes), noise=noise), is_soon_same)
        wanted = f"at least {percent(LEAST_SAME)} within {_seconds(SAME_SECONDS)}"
        what = f"identical code called *same* ({MARGIN_RULE}), {noise}"
        judged.append(_target(what, wanted, share, share.value >= LEAST_SAME))
    return judged


def missing(outcomes: Sequence[Outcome]) -> list[str]:
    """Name the conditions without outcomes: of Assay, and of every rival seen."""
    whole = [o for o in chosen(outcomes, metric=ANY) if o.rule != MARGIN_RULE]
    have = {(o.rule, o.noise, o.effect) for o in [*whole, *with_margin(outcomes)]}
    wanted = {rule: EFFECTS for rule in (ASSAY, *(o.rule for o in whole))}
    lines = []
    for rule, effects in [*wanted.items(), (MARGIN_RULE, (IDENTICAL,))]:
        for noise in NOISES:
            if absent := [e for e in effects if (rule, noise, e) not in have]:
                lines.append(f"{escape(rule)}, {noise}: {', '.join(absent)}")
    return lines


def target_table(outcomes: Sequence[Outcome]) -> str:
    """Return the table of every target, with what was found."""
    return pages.target_table(targets(outcomes))


def answer(outcomes: Sequence[Outcome]) -> str:
    """Return the paragraph that says how many targets are met, and which are not."""
    return pages.answer(targets(outcomes))


def write(
    outcomes: Sequence[Outcome], conditions: Mapping[str, str], folder: Path
) -> None:
    """Write verdicts.md and verdicts.png.

    Args:
        outcomes: Of as many conditions as were measured, none at all included.
        conditions: What was measured and on what, each with its name.
        folder: Made if it is not there.
    """
    measured = [f"- **{escape(k)}:** {escape(v)}" for k, v in conditions.items()]
    absent = [f"- {line}" for line in missing(outcomes)]
    parts = [
        "# How often is a verdict wrong, and how soon is it right?",
        answer(outcomes),
        "![Left: how often each rule calls identical code different. Right: how soon "
        "Assay calls slower code slower. The tables say the same.](verdicts.png)",
        target_table(outcomes),
        *(["**Missing**, not measured:", "\n".join(absent)] if absent else []),
        "## How it was measured",
        "A verdict of *faster* or *slower* on identical code is false; on slower code "
        "only *slower* is right. It is the verdict of the whole comparison unless a "
        "metric is named. Intervals of shares are exact (Clopper-Pearson). What each "
        "of today's rules does, and whose it is, is in `scripts/studies/rivals.py`.",
        "\n".join(measured) or "The conditions were not recorded.",
        "## False verdicts on identical code",
        false_verdicts(outcomes),
        "## Slower code called slower",
        "Launches and time are medians over all comparisons, decided or not.",
        power(outcomes),
        "## Coverage of the injected effect by Assay's interval",
        coverage(outcomes),
        "## What Assay said, by metric",
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


def _target(what: str, wanted: str, share: Share, good: bool) -> Target:
    """Return a target on a share; where nothing was measured it is not judged."""
    found = "{} = {} {}".format(*share.cells())
    return Target(what, wanted, found, good if share.total else None)


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def _seconds(value: float | None) -> str:
    return "–" if value is None else f"{round(value, 1):g} s"


def _ratio(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
