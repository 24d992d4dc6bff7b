"""From the outcomes of many comparisons to a page: verdicts.md and verdicts.png.

Every number on the page is computed from the outcomes given; what was not
measured is named, and a missed target is said as plainly as one that is met.
"""

import statistics
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.figure import Figure

from assay.report.markdown import escape
from assay.report.text import counted, one_line, percent
from assay.results import Verdict
from assay.statistics import binomial_interval

NOISES = ("quiet", "burst")
IDENTICAL = "A/A"
EFFECTS = (IDENTICAL, "+2 % CPU", "+5 % CPU", "+10 % CPU", "+5 ms on 3 %")
ASSAY, MARGIN_RULE = "Assay", "Assay, margin 3 %"
ANY, MARGIN_METRIC = "any", "cpu_per_request"
VERDICTS: tuple[Verdict, ...] = ("faster", "slower", "same", "undecided")

# The targets: shares, and seconds of measuring.
MOST_FALSE, HIGHEST_FALSE = 0.05, 0.10
TARGET_EFFECT, LEAST_POWER = "+5 % CPU", 0.95
MOST_SECONDS = {"quiet": 60.0, "burst": 150.0}
LEAST_COVERED = 0.93
LEAST_SAME, SAME_SECONDS = 0.90, 60.0

_INK, _MUTED, _LINE = "#1b1d21", "#59616e", "#e3e6eb"
_STYLES = {"quiet": ("#1f74b4", "o", "-"), "burst": ("#c4520c", "D", "--")}
_COLOURS = ("#59616e", "#7a4fa3", "#c4520c", "#1f74b4", "#2a7f4f")


@dataclass(frozen=True)
class Outcome:
    """What one rule said of one metric in one comparison.

    Attributes:
        noise: One of `NOISES`.
        effect: One of `EFFECTS`: what the candidate does on top of the baseline.
        rule: `ASSAY`, `MARGIN_RULE` or the name of a rival.
        metric: A metric, or `ANY` for the whole comparison.
        launches: How many it rests on.
        seconds: Of measuring until the verdict, wall clock; None if not known.
        ratio: Candidate / baseline, with the ends of its interval.
        true_ratio: The injected ratio of this metric, where it is known.
        covered: Whether the interval holds the true ratio.
    """

    noise: str
    effect: str
    rule: str
    metric: str
    verdict: Verdict
    launches: int
    seconds: float | None = None
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    true_ratio: float | None = None
    covered: bool | None = None


@dataclass(frozen=True)
class Share:
    """A count out of a total, with its exact 95 % interval."""

    count: int
    total: int

    @classmethod
    def of(cls, own: Sequence[Outcome], test: Callable[[Outcome], bool]) -> "Share":
        """Count the outcomes that pass a test."""
        return cls(sum(1 for outcome in own if test(outcome)), len(own))

    @property
    def value(self) -> float:
        """Return the share; of nothing it is 0."""
        return self.count / max(self.total, 1)

    @property
    def interval(self) -> tuple[float, float]:
        """Return the Clopper-Pearson interval; of nothing it is 0 to 1."""
        return binomial_interval(self.count, self.total)

    def cells(self) -> list[str]:
        """Return it as three cells of a table."""
        low, high = self.interval
        ends = f"[{percent(low)}, {percent(high)}]"
        return [f"{self.count}/{self.total}", percent(self.value), ends]


@dataclass(frozen=True)
class Target:
    """What was wanted of Assay and what was found; `met` is None if not judged."""

    what: str
    wanted: str
    found: str
    met: bool | None


def false_verdicts(outcomes: Sequence[Outcome]) -> str:
    """Return the table of verdicts of a difference on identical code."""
    rows = [
        [escape(rule), noise, *Share.of(own, _is_false).cells()]
        for (rule, noise), own in _cells(_identical(outcomes), "rule", "noise")
    ]
    return _table(["rule", "noise", "false", "share", "95 % interval"], rows)


def power(outcomes: Sequence[Outcome]) -> str:
    """Return the table of how often and how soon slower code is called slower."""
    measured = [o for o in _chosen(outcomes, metric=ANY) if o.effect != IDENTICAL]
    rows = [
        [
            *(effect, noise, escape(rule)),
            *Share.of(own, _is_slower).cells(),
            f"{statistics.median(o.launches for o in own):g}",
            _seconds(_median(o.seconds for o in own)),
        ]
        for (effect, noise, rule), own in _cells(measured, "effect", "noise", "rule")
    ]
    head = ["effect", "noise", "rule", "slower", "share", "95 % interval"]
    return _table([*head, "median launches", "median time"], rows)


def coverage(outcomes: Sequence[Outcome]) -> str:
    """Return the table of how often Assay's interval holds the injected effect."""
    rows = []
    for (metric,), both in _cells(_covering(outcomes), "metric"):
        for (noise,), own in [*_cells(both, "noise"), (("**all**",), both)]:
            rows.append([f"`{metric}`", noise, *Share.of(own, _is_covered).cells()])
    return _table(["metric", "noise", "held", "share", "95 % interval"], rows)


def verdict_counts(outcomes: Sequence[Outcome]) -> str:
    """Return the table of what Assay said of every metric."""
    measured = [o for o in _chosen(outcomes, rule=ASSAY) if o.metric != ANY]
    keys = ("noise", "effect", "metric")
    rows = [
        [
            *(noise, effect, f"`{metric}`"),
            *(str(sum(o.verdict == word for o in own)) for word in VERDICTS),
            _ratio(_median(o.ratio for o in own)),
            _ratio(_median(o.true_ratio for o in own)),
        ]
        for (noise, effect, metric), own in _cells(measured, *keys)
    ]
    return _table([*keys, *VERDICTS, "median ratio", "injected"], rows)


def same_in_time(outcomes: Sequence[Outcome]) -> str:
    """Return the table of how often identical code is soon called the same."""
    rows = [
        [
            *(noise, *Share.of(own, _is_soon_same).cells()),
            _seconds(_median(o.seconds for o in own)),
        ]
        for (noise,), own in _cells(_with_margin(outcomes), "noise")
    ]
    head = ["noise", f"*same* within {_seconds(SAME_SECONDS)}", "share"]
    return _table([*head, "95 % interval", "median time"], rows)


def targets(outcomes: Sequence[Outcome]) -> list[Target]:
    """Judge Assay by every target, each noise and each metric on its own."""
    whole, judged = _chosen(outcomes, rule=ASSAY, metric=ANY), []
    for noise in NOISES:
        share = Share.of(_chosen(whole, noise=noise, effect=IDENTICAL), _is_false)
        wanted = f"at most {percent(MOST_FALSE)}, upper end {percent(HIGHEST_FALSE)}"
        good = share.value <= MOST_FALSE and share.interval[1] <= HIGHEST_FALSE
        judged.append(_target(f"false verdicts, {noise}", wanted, share, good))
    for noise in NOISES:
        own = _chosen(whole, noise=noise, effect=TARGET_EFFECT)
        share, median = Share.of(own, _is_slower), _median(o.seconds for o in own)
        wanted = f"at least {percent(LEAST_POWER)}"
        what, good = f"{TARGET_EFFECT} called slower", share.value >= LEAST_POWER
        judged.append(_target(f"{what}, {noise}", wanted, share, good))
        wanted = f"at most {_seconds(MOST_SECONDS[noise])}"
        soon = None if median is None else median <= MOST_SECONDS[noise]
        what = f"median time for {TARGET_EFFECT}, {noise}"
        judged.append(Target(what, wanted, _seconds(median), soon))
    named = [(f"`{key[0]}`", o) for key, o in _cells(_covering(outcomes), "metric")]
    for name, own in named or [("any metric", [])]:
        share = Share.of(own, _is_covered)
        wanted, good = (
            f"at least {percent(LEAST_COVERED)}",
            share.value >= LEAST_COVERED,
        )
        judged.append(_target(f"coverage on {name}", wanted, share, good))
    for noise in NOISES:
        share = Share.of(_chosen(_with_margin(outcomes), noise=noise), _is_soon_same)
        wanted = f"at least {percent(LEAST_SAME)} within {_seconds(SAME_SECONDS)}"
        what = f"identical code called *same* ({MARGIN_RULE}), {noise}"
        judged.append(_target(what, wanted, share, share.value >= LEAST_SAME))
    return judged


def missing(outcomes: Sequence[Outcome]) -> list[str]:
    """Name the conditions without outcomes: of Assay, and of every rival seen."""
    whole = [o for o in _chosen(outcomes, metric=ANY) if o.rule != MARGIN_RULE]
    have = {(o.rule, o.noise, o.effect) for o in [*whole, *_with_margin(outcomes)]}
    wanted = {rule: EFFECTS for rule in (ASSAY, *(o.rule for o in whole))}
    lines = []
    for rule, effects in [*wanted.items(), (MARGIN_RULE, (IDENTICAL,))]:
        for noise in NOISES:
            if absent := [e for e in effects if (rule, noise, e) not in have]:
                lines.append(f"{escape(rule)}, {noise}: {', '.join(absent)}")
    return lines


def answer(outcomes: Sequence[Outcome]) -> str:
    """Return the paragraph that says which targets are met and which are missed."""
    judged, said = targets(outcomes), []
    of_all = f"of {counted(len(judged), 'target')}"
    for start, state in (("Assay **misses**", False), ("It **meets**", True)):
        parts = [
            f"{t.what}: {t.found}, wanted {t.wanted}" for t in judged if t.met is state
        ]
        count = f"{start} {len(parts) or 'none'} {of_all}"
        said.append(f"{count}: {'; '.join(parts)}." if parts else f"{count}.")
    if open_ := [t.what for t in judged if t.met is None]:
        said.append(f"**Not judged**, for want of outcomes: {'; '.join(open_)}.")
    rivals = [
        f"{escape(rule)} {percent(Share.of(own, _is_false).value)} ({noise})"
        for (rule, noise), own in _cells(_identical(outcomes), "rule", "noise")
        if rule not in (ASSAY, MARGIN_RULE)
    ]
    if rivals:
        start = "Today's rules call identical code different at these rates: "
        said.append(f"{start}{'; '.join(rivals)}.")
    return " ".join(said)


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


def picture(outcomes: Sequence[Outcome]) -> Figure:
    """Draw the page's picture: 1100 x 600 logical pixels at twice their number.

    It has its own white ground, so it reads on a dark page, too.
    """
    figure = Figure(figsize=(11, 6), dpi=200, facecolor="white")
    heads = (
        (
            0.02,
            "Identical code called different",
            "share of comparisons, 95 % interval",
        ),
        (0.50, "Slower code called slower by Assay", "share within a measuring time"),
    )
    with rc_context({"font.family": "DejaVu Sans", "font.size": 9.5}):
        for x, head, detail in heads:
            figure.text(x, 0.93, head, color=_INK, weight="bold", fontsize=13)
            figure.text(x, 0.885, detail, color=_MUTED)
        for place, draw in (
            ((0.155, 0.11, 0.215, 0.74), _draw_false),
            ((0.545, 0.11, 0.26, 0.74), _draw_power),
        ):
            axes: Any = figure.add_axes(place)
            axes.spines[:].set_visible(False)
            axes.grid(True, color=_LINE, lw=0.8)
            axes.set_axisbelow(True)
            axes.tick_params(length=0, labelcolor=_MUTED)
            if not draw(axes, outcomes):
                axes.text(
                    0.5, 0.5, "not measured", ha="center", transform=axes.transAxes
                )
    return figure


def _draw_false(axes: Any, outcomes: Sequence[Outcome]) -> bool:
    """Draw a row for each rule and noise with its count; say whether there is any."""
    own, beside = _identical(outcomes), axes.get_yaxis_transform()
    rules = [rule for (rule,), _ in _cells(own, "rule")]
    plain = {"va": "center", "parse_math": False, "transform": beside}
    for row, rule in enumerate(rules):
        name = textwrap.fill(one_line(rule).replace(" %", "\u00a0%"), 17)
        axes.text(-0.06, row, name, ha="right", color=_INK, **plain)
    for (rule, noise), found in _cells(own, "rule", "noise"):
        share, (colour, marker, _) = Share.of(found, _is_false), _STYLES[noise]
        y = rules.index(rule) + (-0.18 if noise == NOISES[0] else 0.18)
        ends = [100 * end for end in share.interval]
        dot = {"marker": marker, "mec": "white", "ms": 8, "clip_on": False}
        axes.plot(ends, [y, y], color=colour, lw=2.2)
        axes.plot(100 * share.value, y, color=colour, zorder=3, **dot)
        count = f"{noise} {share.count}/{share.total}"
        axes.text(1.05, y, count, color=colour, **plain)
    axes.axvline(100 * MOST_FALSE, color=_MUTED, lw=1.2, ls=":")
    axes.set(xlim=(0, 100), ylim=(max(len(rules), 1) - 0.5, -0.5), yticks=[])
    axes.set_xticks([100 * MOST_FALSE, 25, 50, 75, 100])
    axes.xaxis.set_major_formatter("{x:g} %")
    return bool(rules)


def _draw_power(axes: Any, outcomes: Sequence[Outcome]) -> bool:
    """Draw for each effect and noise who is found by when; say whether there is any."""
    timed = [o for o in _chosen(outcomes, rule=ASSAY, metric=ANY) if o.seconds]
    slower = [o for o in timed if o.effect != IDENTICAL]
    last, ends = max((o.seconds or 0 for o in slower), default=1.0), []
    for (effect, noise), found in _cells(slower, "effect", "noise"):
        times = sorted(o.seconds or 0 for o in found if _is_slower(o))
        steps = [100 * count / len(found) for count in range(len(times) + 1)]
        colour = _COLOURS[EFFECTS.index(effect) if effect in EFFECTS else 0]
        line = {"color": colour, "ls": _STYLES[noise][2], "clip_on": False}
        x, y = [0.0, *times, last], [*steps, steps[-1]]
        axes.plot(x, y, drawstyle="steps-post", lw=1.8, **line)
        ends.append((steps[-1], f"{effect}, {noise} {steps[-1]:.3g} %", line))
    places = _apart([end for end, _, _ in ends], 4.4, 103.0)
    for (end, name, line), place in zip(ends, places, strict=True):
        axes.plot([last, last * 1.07], [end, place], lw=0.8, **line)
        text = {"va": "center", "color": line["color"], "parse_math": False}
        axes.text(last * 1.08, place, name, fontsize=9, **text)
    axes.axhline(100 * LEAST_POWER, color=_MUTED, lw=1.2, ls=":")
    axes.set(xlim=(0, last), ylim=(0, 103), yticks=[0, 25, 50, 75, 100 * LEAST_POWER])
    axes.yaxis.set_major_formatter("{x:g} %")
    axes.set_xlabel("seconds of measuring", color=_MUTED)
    return bool(ends)


def _apart(wanted: Sequence[float], gap: float, top: float) -> list[float]:
    """Return places for labels as wanted, but `gap` apart and none above `top`."""
    places, above = [0.0] * len(wanted), top + gap
    for index in sorted(range(len(wanted)), key=lambda i: -wanted[i]):
        above = places[index] = min(wanted[index], above - gap)
    return places


def _is_false(outcome: Outcome) -> bool:
    return outcome.verdict in ("faster", "slower")


def _is_slower(outcome: Outcome) -> bool:
    return outcome.verdict == "slower"


def _is_covered(outcome: Outcome) -> bool:
    return outcome.covered is True


def _is_soon_same(outcome: Outcome) -> bool:
    """Say whether it was called the same in time; an unknown time is not in time."""
    seconds = outcome.seconds
    return outcome.verdict == "same" and seconds is not None and seconds <= SAME_SECONDS


def _chosen(outcomes: Sequence[Outcome], **fields: str) -> list[Outcome]:
    """Return the outcomes with these fields."""
    return [o for o in outcomes if all(getattr(o, k) == v for k, v in fields.items())]


def _identical(outcomes: Sequence[Outcome]) -> list[Outcome]:
    return _chosen(outcomes, effect=IDENTICAL, metric=ANY)


def _covering(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return Assay's outcomes of injected effects whose true ratio is known."""
    own = _chosen(outcomes, rule=ASSAY)
    return [o for o in own if o.covered is not None and o.effect != IDENTICAL]


def _with_margin(outcomes: Sequence[Outcome]) -> list[Outcome]:
    return _chosen(outcomes, rule=MARGIN_RULE, effect=IDENTICAL, metric=MARGIN_METRIC)


def _cells(
    outcomes: Sequence[Outcome], *fields: str
) -> list[tuple[tuple[str, ...], list[Outcome]]]:
    """Group outcomes by fields: what is known first and in its order, then the rest."""
    cells: dict[tuple[str, ...], list[Outcome]] = {}
    for outcome in outcomes:
        cells.setdefault(tuple(getattr(outcome, f) for f in fields), []).append(outcome)
    order = [ASSAY, MARGIN_RULE, *NOISES, *EFFECTS, *(k for key in cells for k in key)]
    return sorted(cells.items(), key=lambda cell: [order.index(k) for k in cell[0]])


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


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table, or that there is nothing to put into it."""
    if not rows:
        return "Not measured."
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
