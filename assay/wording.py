"""Formats numbers and words for people, and removes dangerous characters from text."""

import math
import unicodedata
from collections.abc import Sequence

from assay.load_results import Judgement
from assay.metrics import LOAD_TEST_UNITS, METRICS, higher_is_better
from assay.results import Comparison

# Characters that reorder the text around them, so that one name looks like another.
_REORDERING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e") | frozenset(
    "\u2066\u2067\u2068\u2069"
)
_SCALES: dict[str, tuple[tuple[float, str], ...]] = {
    "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")),
    "B": ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B")),
    "/s": ((1.0, "/s"),),
    "": ((0.01, "%"),),
}
ROUNDS_UP = 0.9995  # this share of a unit is written as 1.00
# Each disturbance of a slice: its name in the tables, and its words.
DISTURBANCES = {
    "neighbour": "a neighbour on the target's cores",
    "generator": "a generator that was late",
    "stall": "a standstill of the machine",
    "users": "too few users at first",
    "time": "the end of the time budget",
}
# How `about` rounds times: limit in seconds, unit in seconds, step in units, noun.
_ROUNDING: tuple[tuple[float, float, float, str], ...] = (
    (57.5, 1, 5, "second"),
    (9.5 * 60, 60, 1, "minute"),
    (57.5 * 60, 60, 5, "minute"),
    (9.75 * 3600, 3600, 0.5, "hour"),
    (36 * 3600, 3600, 1, "hour"),
    (30 * 86400, 86400, 1, "day"),
)


def clean(text: str) -> str:
    """Return the text without characters that could control a terminal or a parser.

    Control characters (except newline and tab), surrogates, the non-characters at the
    end of each plane, and direction overrides become U+FFFD. So the result is valid in
    XML, too.
    """
    return "".join(
        "\ufffd" if _is_unsafe(character) else character for character in text
    )


def one_line(text: str) -> str:
    """Return the cleaned text with every run of white space as one space."""
    return " ".join(clean(text).split())


def significant(value: float, digits: int = 3) -> str:
    """Return the number with this many significant digits and no exponent.

    Infinity is ``∞`` or ``−∞``, and NaN is ``–``.
    """
    if not math.isfinite(value):
        return "∞" if value > 0 else "−∞" if value < 0 else "–"
    if value == 0:
        return "0"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    # Rounding can carry into the next power of ten: 9.996 is 10.0, not 10.00.
    rounded = round(value, decimals)
    if rounded:
        decimals = digits - 1 - math.floor(math.log10(abs(rounded)))
    return fixed(rounded, decimals)


def fixed(value: float, decimals: int) -> str:
    """Return the number with this many decimals, grouped by thousands.

    Negative decimals round to tens, hundreds and so on.
    """
    text = f"{round(value, decimals):,.{max(0, decimals)}f}"
    return text.replace("-", "−")


def exact(value: float) -> str:
    """Return the number with all its digits, as TOML and Python read it: ``1.3``."""
    return repr(float(value)).removesuffix(".0")


def quantity(value: float, unit: str) -> str:
    """Return a value with a readable unit: ``3.1e-3, "s"`` is ``3.10 ms``."""
    scale, name = scale_of(abs(value), unit)
    return f"{significant(value / scale)} {name}".rstrip()


def signed_quantity(value: float, unit: str) -> str:
    """Return `quantity` with a sign, also for values above 0."""
    return ("+" if value > 0 else "") + quantity(value, unit)


def interval(
    value: float,
    low: float | None,
    high: float | None,
    unit: str,
    censored: bool = False,
) -> str:
    """Return ``3.10 ms [3.05, 3.16]``; without the bracket if an end is missing.

    The bracket is also left out if both ends are equal. A censored value is a lower
    bound: ``≥ 10.0 s [8.20, ∞)``.
    """
    if censored:
        scale, name = scale_of(max(abs(value), abs(low or 0.0)), unit)
        text = f"≥ {significant(value / scale)} {name}".rstrip()
        # An interval that begins at the bound adds nothing to it.
        if low is None or low >= value:
            return text
        return f"{text} [{significant(low / scale)}, ∞)"
    if low is None or high is None or low == high:
        return quantity(value, unit)
    scale, name = scale_of(max(abs(value), abs(low)), unit)
    middle, ends = _bracket(value / scale, low / scale, high / scale)
    return f"{middle} {name} {ends}"


def ratio_parts(
    value: float, low: float | None, high: float | None, censored: str = ""
) -> tuple[str, str]:
    """Return ``0.21×`` and ``[0.19, 0.23]``, as precise as the interval allows.

    If both sides are only bounds, the two texts say that the ratio is unknown.

    Args:
        value: The ratio candidate / baseline.
        low: Lower end of its interval; None or 0 if it is open: ``(0, 0.5]``.
        high: Upper end; None or infinity if it is open: ``[3.1, ∞)``. If both ends are
            open, the interval is empty text.
        censored: The sides that are only bounds: ``candidate``, ``baseline`` or
            ``both``. Then the value is a bound, too.
    """
    if censored == "both":
        return "unknown:", "only a bound is known for each side"
    sign = {"candidate": "≥ ", "baseline": "≤ "}.get(censored, "")
    start = low or None
    end = high if high is not None and math.isfinite(high) else None
    if start is not None and end is not None:
        middle, ends = _bracket(value, start, end)
        return f"{sign}{middle}×", ends
    digits = 2 if sign or start or end else 3
    ends = ""
    if start is not None or end is not None:
        left = "(0" if start is None else f"[{significant(start, digits)}"
        ends = f"{left}, {'∞)' if end is None else f'{significant(end, digits)}]'}"
    return f"{sign}{significant(value, digits)}×", ends


def ratio(
    value: float, low: float | None, high: float | None, censored: str = ""
) -> str:
    """Return ``0.21× [0.19, 0.23]``: `ratio_parts` as one text."""
    return " ".join(ratio_parts(value, low, high, censored)).rstrip()


def better_by(
    metric: str, value: float, low: float | None, high: float | None
) -> tuple[float, float | None, float | None]:
    """Turn candidate / baseline into "how many times better", with its interval.

    Above 1 the candidate is better, whatever the metric. If lower is better, the ratio
    is inverted, and a ratio of 0 becomes infinity.
    """
    if higher_is_better(metric):
        return value, low, high
    return (
        _inverse(value),
        None if high is None else _inverse(high),
        None if low is None else _inverse(low),
    )


def compared_parts(comparison: Comparison) -> tuple[str, str]:
    """Return the ratio of a comparison and its interval, or why there is none."""
    # If both sides are censored, `ratio_parts` shows no number, even if there is one.
    if comparison.ratio is None and comparison.censored != "both":
        return "no ratio", ""
    return ratio_parts(
        comparison.ratio or 0.0, comparison.low, comparison.high, comparison.censored
    )


def compared(comparison: Comparison) -> str:
    """Return `compared_parts` as one text."""
    return " ".join(compared_parts(comparison)).rstrip()


def in_words(comparison: Comparison) -> str:
    """Return the text of `compared` for the middle of a sentence."""
    if comparison.ratio is None or comparison.censored == "both":
        return "an unknown ratio"
    return compared(comparison)


def duration(seconds: float) -> str:
    """Return a time for a table: ``45 s``, ``5 min``."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    # Two digits are not enough from 100 minutes on.
    return f"{minutes:.2g} min" if minutes < 99.5 else f"{minutes:,.0f} min"


def about(seconds: float) -> str:
    """Return a rounded time in words: ``about 9 minutes``."""
    for limit, unit, step, noun in _ROUNDING:
        if seconds < limit:
            number = max(step, round(seconds / unit / step) * step)
            return f"about {number:g} {noun}" + ("" if number == 1 else "s")
    return "more than a month"


def forecast(metric: str, margin: float, seconds: float) -> str:
    """Return a sentence about the time to detect a difference as small as the margin.

    Args:
        metric: The metric.
        margin: The largest change that is too small to matter, as a fraction.
        seconds: The measuring time; see `Comparison.seconds_to_see`.
    """
    return f"to see {percent(margin)} on {one_line(metric)} here takes {about(seconds)}"


def expectation(text: str) -> str:
    """Return an expectation with mathematical signs: ``≤ 0.30`` for ``<= 0.30``."""
    return one_line(text).replace("<=", "≤").replace(">=", "≥")


def listed(words: Sequence[str]) -> str:
    """Return words as an enumeration: ``a, b and c``."""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def percent(share: float) -> str:
    """Return a share as a percentage: ``5 %``, ``0.12 %``, ``1,230 %``."""
    text = significant(share * 100)
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text} %"


def unit_of(metric: str) -> str:
    """Return the unit of a metric; empty for a share or an unknown metric."""
    return METRICS[metric].unit if metric in METRICS else ""


def meaning_of(metric: str) -> str:
    """Return what a metric measures, in plain words; its name if it is unknown."""
    return METRICS[metric].meaning if metric in METRICS else clean(metric)


def verdict_word(comparison: Comparison) -> str:
    """Return a comparison's verdict in a word; empty if it has none.

    For memory, *faster* and *slower* become *less* and *more*.
    """
    if unit_of(comparison.metric) == "B":
        return {"faster": "less", "slower": "more"}.get(
            comparison.verdict or "", comparison.verdict or ""
        )
    return comparison.verdict or ""


def judgement(item: Judgement) -> str:
    """Return the value measured for a requirement, and the reason of its verdict."""
    if item.value is None:
        text = "not measured"
    elif math.isinf(item.value):
        text = "never answered"
    else:
        unit = LOAD_TEST_UNITS[item.metric]
        text = f"{'≥ ' if item.bound else ''}{quantity(item.value, unit)}"
    return f"{text}; {one_line(item.reason)}" if item.reason else text


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: ``1 claim`` or ``3 claims``."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def too_few_launches(number: int) -> str:
    """Return a clause: ``1 launch is too few``, ``5 launches are too few``."""
    verb = "is" if number == 1 else "are"
    return f"{counted(number, 'launch', 'launches')} {verb} too few"


def _is_unsafe(character: str) -> bool:
    if character in "\n\t":
        return False
    return (
        unicodedata.category(character) in ("Cc", "Cs")
        or character in _REORDERING
        or ord(character) & 0xFFFE == 0xFFFE
    )


def scale_of(size: float, unit: str) -> tuple[float, str]:
    """Return the scale and the name of the unit for a size: ms for 0.003 s.

    Args:
        size: A size in the unit; of an axis, the largest.
        unit: `s`, `B`, `/s`, or empty for a share.
    """
    scales = _SCALES.get(unit, ((1.0, unit),))
    if size == 0 or not math.isfinite(size):
        return scales[0] if unit != "B" else scales[-1]
    # What rounds to 1,000 of one unit is 1.00 of the next.
    return next((scale for scale in scales if size >= ROUNDS_UP * scale[0]), scales[-1])


def _bracket(value: float, low: float, high: float) -> tuple[str, str]:
    """Write a value and its interval with as many decimals as the interval supports."""
    half_width = (high - low) / 2
    if not math.isfinite(half_width) or half_width <= 0 or not math.isfinite(value):
        return significant(value), f"[{significant(low)}, {significant(high)}]"
    largest = max(abs(value), abs(low)) or half_width
    three_digits = 2 - math.floor(math.log10(largest))
    # As many decimals as half of the interval's width has, but at least two and at most
    # three significant digits.
    as_half_width = -math.floor(math.log10(half_width))
    decimals = max(three_digits - 1, min(three_digits, as_half_width))
    return (
        fixed(value, decimals),
        f"[{fixed(low, decimals)}, {fixed(high, decimals)}]",
    )


def _inverse(value: float) -> float:
    return 1 / value if value else math.inf
