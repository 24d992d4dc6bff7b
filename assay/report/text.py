"""Numbers and words as people read them, and hostile text made harmless."""

import math
import unicodedata

from assay.plan import HIGHER_IS_BETTER, METRICS
from assay.results import Comparison

# Escapes that reorder the text around them: a name could pose as another.
_REORDERING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e") | frozenset(
    "\u2066\u2067\u2068\u2069"
)
_SCALES: dict[str, tuple[tuple[float, str], ...]] = {
    "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")),
    "B": ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"), (1.0, "B")),
    "/s": ((1.0, "/s"),),
    "": ((0.01, "%"),),
}


def clean(text: str) -> str:
    """Return the text with whatever could act on a terminal or a parser replaced.

    Control characters (but newline and tab), surrogates, non-characters and
    direction overrides become U+FFFD, so the result is legal in XML, too.
    """
    return "".join("\ufffd" if _acts(character) else character for character in text)


def one_line(text: str) -> str:
    """Return the cleaned text with every run of white space as one space."""
    return " ".join(clean(text).split())


def significant(value: float, digits: int = 3) -> str:
    """Return the number with so many significant digits and no exponent."""
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
    """Return the number with so many decimals, grouped by thousands."""
    text = f"{round(value, decimals):,.{max(0, decimals)}f}"
    return text.replace("-", "−")


def quantity(value: float, unit: str) -> str:
    """Return a value with the unit people read: ``3.1e-3, "s"`` is ``3.10 ms``."""
    scale, name = _scale(abs(value), unit)
    return f"{significant(value / scale)} {name}".rstrip()


def signed_quantity(value: float, unit: str) -> str:
    """Return `quantity` with its sign always written."""
    return ("+" if value > 0 else "") + quantity(value, unit)


def interval(value: float, low: float | None, high: float | None, unit: str) -> str:
    """Return ``3.10 ms [3.05, 3.16]``; without the bracket where ends are missing."""
    if low is None or high is None or low == high:
        return quantity(value, unit)
    scale, name = _scale(max(abs(value), abs(low)), unit)
    middle, ends = _bracket(value / scale, low / scale, high / scale)
    return f"{middle} {name} {ends}"


def ratio(value: float, low: float | None, high: float | None) -> str:
    """Return ``0.21× [0.19, 0.23]``, as precise as the interval allows."""
    if low is None or high is None:
        return f"{significant(value)}×"
    middle, ends = _bracket(value, low, high)
    return f"{middle}× {ends}"


def better_by(
    metric: str, value: float, low: float | None, high: float | None
) -> tuple[float, float | None, float | None]:
    """Turn candidate / baseline into "how many times better", with its interval.

    Above 1 the candidate is the better one, whatever the metric. A ratio of 0
    gives infinity.
    """
    if metric in HIGHER_IS_BETTER:
        return value, low, high
    return (
        _inverse(value),
        None if high is None else _inverse(high),
        None if low is None else _inverse(low),
    )


def compared(comparison: Comparison) -> str:
    """Return the ratio of a comparison with its interval, or why there is none."""
    if comparison.ratio is None:
        return "no ratio"
    return ratio(comparison.ratio, comparison.low, comparison.high)


def expectation(text: str) -> str:
    """Return an expectation as people write it: ``≤ 0.30`` for ``<= 0.30``."""
    return one_line(text).replace("<=", "≤").replace(">=", "≥")


def percent(share: float) -> str:
    """Return a share as a percentage: ``5 %``, ``0.12 %``."""
    return f"{share * 100:.3g} %"


def unit_of(metric: str) -> str:
    """Return the unit of a metric's values; empty for a share or an unknown one."""
    return METRICS.get(metric, ("", ""))[0]


def meaning_of(metric: str) -> str:
    """Return what a metric measures, in plain words."""
    return METRICS.get(metric, ("", clean(metric)))[1]


def counted(number: int, noun: str) -> str:
    """Return ``1 claim`` or ``3 claims``."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _acts(character: str) -> bool:
    if character in "\n\t":
        return False
    return (
        unicodedata.category(character) in ("Cc", "Cs")
        or character in _REORDERING
        or ord(character) & 0xFFFE == 0xFFFE
    )


def _scale(size: float, unit: str) -> tuple[float, str]:
    scales = _SCALES.get(unit, ((1.0, unit),))
    if size == 0 or not math.isfinite(size):
        return scales[0] if unit != "B" else scales[-1]
    return next((scale for scale in scales if size >= scale[0]), scales[-1])


def _bracket(value: float, low: float, high: float) -> tuple[str, str]:
    """Write a value and its interval with the decimals that the interval supports."""
    half = (high - low) / 2
    if not math.isfinite(half) or half <= 0 or not math.isfinite(value):
        return significant(value), f"[{significant(low)}, {significant(high)}]"
    largest = max(abs(value), abs(low)) or half
    most = 2 - math.floor(math.log10(largest))
    # Two digits at least, three at most, and no finer than the half width.
    decimals = max(most - 1, min(most, -math.floor(math.log10(half))))
    return (
        fixed(value, decimals),
        f"[{fixed(low, decimals)}, {fixed(high, decimals)}]",
    )


def _inverse(value: float) -> float:
    return 1 / value if value else math.inf
