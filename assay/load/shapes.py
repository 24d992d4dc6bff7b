"""How the rate of arrivals changes over a load test: pieces of straight lines.

Whatever the shape, its arrivals follow from the expected number of arrivals up to a
moment, and the moment of a number: both are exact on straight lines.
"""

import bisect
import csv
import itertools
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from assay.errors import InputError

_UNITS = {"ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_SPIKE_EDGE = 1.0  # seconds: a rise that is no step, but as good as one
KINDS = "constant, ramp, steps, spike or soak"


@dataclass(frozen=True)
class Shape:
    """A rate over time.

    Attributes:
        times: Seconds since the start, ascending from 0; two equal ones are a step.
        rates: Arrivals per second at these times, straight in between.
    """

    times: tuple[float, ...]
    rates: tuple[float, ...]

    def __post_init__(self) -> None:
        """Check it.

        Raises:
            ValueError: Times go back, or a rate is negative or not finite.
        """
        pairs = list(itertools.pairwise(self.times))
        if len(self.times) != len(self.rates) or not pairs or self.times[0] != 0:
            raise ValueError("a shape needs a rate for each of two times or more")
        if any(a > b for a, b in pairs) or not all(map(math.isfinite, self.times)):
            raise ValueError("the times of a shape must ascend")
        if any(rate < 0 or not math.isfinite(rate) for rate in self.rates):
            raise ValueError("a rate must be 0 or more")

    @property
    def duration(self) -> float:
        """Seconds until its end."""
        return self.times[-1]

    @property
    def expected(self) -> float:
        """Arrivals to be expected until its end."""
        return self.counts()[-1]

    def times_rate(self, rate: float) -> "Shape":
        """Return a shape of multiples as one of rates."""
        return Shape(self.times, tuple(rate * multiple for multiple in self.rates))

    def counts(self) -> tuple[float, ...]:
        """Return the expected number of arrivals up to each of its times."""
        areas = [
            (b - a) * (low + high) / 2
            for (a, b), (low, high) in zip(
                itertools.pairwise(self.times),
                itertools.pairwise(self.rates),
                strict=True,
            )
        ]
        return (0.0, *itertools.accumulate(areas))

    def rate(self, time: float) -> float:
        """Return the rate at a time; 0 outside."""
        if not 0 <= time <= self.duration:
            return 0.0
        after = min(bisect.bisect_right(self.times, time), len(self.times) - 1)
        a, b = self.times[after - 1], self.times[after]
        low, high = self.rates[after - 1], self.rates[after]
        return high if a == b else low + (high - low) * (time - a) / (b - a)

    def moments(self, numbers: Iterable[float]) -> Iterable[float]:
        """Yield when each expected number of arrivals is reached, until the end.

        Args:
            numbers: Ascending, from 0.
        """
        counts, piece, end = self.counts(), -1, 0.0
        for number in numbers:
            if number >= end:  # not done for every arrival, which makes it late
                while piece < 0 or counts[piece + 1] <= number:
                    piece += 1
                    if piece == len(counts) - 1:
                        return
                begin, end = counts[piece : piece + 2]
                a, b = self.times[piece : piece + 2]
                low, high = self.rates[piece : piece + 2]
                slope = (high - low) / (b - a)
            yield a + _reached(number - begin, low, slope)


def _reached(area: float, rate: float, slope: float) -> float:
    """Return after how many seconds a rate that changes evenly has made an area.

    The root of area = rate t + slope t² / 2 in the form that is exact for a slope
    near 0, too.
    """
    root = math.sqrt(max(0.0, rate * rate + 2 * slope * area))
    return 2 * area / (rate + root) if area else 0.0


def constant(rate: float, duration: float) -> Shape:
    """Return one rate all the time."""
    return Shape((0.0, duration), (rate, rate))


def ramp(low: float, high: float, duration: float) -> Shape:
    """Return a rate that changes evenly from one to the other."""
    return Shape((0.0, duration), (low, high))


def steps(rates: Sequence[float], each: float) -> Shape:
    """Return rates one after the other, each for so many seconds."""
    times = [(index * each, (index + 1) * each) for index in range(len(rates))]
    return Shape(
        tuple(itertools.chain.from_iterable(times)),
        tuple(itertools.chain.from_iterable((rate, rate) for rate in rates)),
    )


def spike(base: float, peak: float, duration: float, length: float) -> Shape:
    """Return a rate with one spike in the middle, with edges of a second at most."""
    edge = min(_SPIKE_EDGE, length / 4)
    begin = (duration - length) / 2
    if begin < edge:
        raise ValueError("a spike must be shorter than what is around it")
    return Shape(
        (0.0, begin - edge, begin, begin + length, begin + length + edge, duration),
        (base, base, peak, peak, base, base),
    )


def recorded(path: Path) -> Shape:
    """Read a series of rates: a CSV file with the columns `seconds` and `rate`.

    Between two rows the rate changes evenly; two rows of one time are a step.

    Raises:
        InputError: There is no such file, or it is not one of rates.
    """
    expected = "expected the columns seconds,rate, the seconds ascending from 0"
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            if not {"seconds", "rate"} <= set(rows.fieldnames or ()):
                raise InputError(f"{path}:1: {expected}")
            times, rates = [], []
            for row in rows:
                try:
                    times.append(float(row["seconds"]))
                    rates.append(float(row["rate"]))
                except (TypeError, ValueError) as error:
                    raise InputError(
                        f"{path}:{rows.line_num}: no number; {expected}"
                    ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    try:
        return Shape(tuple(times), tuple(rates))
    except ValueError as error:
        raise InputError(f"{path}: {error}; {expected}") from error


def parse(
    text: str,
    duration: float | None,
    what: str = "--rate",
    wanted: float | None = None,
) -> Shape:
    """Return the shape that somebody wrote.

    ``200`` is a constant rate, ``ramp 100..500``, ``steps 100,200,400 each 30s``,
    ``spike 100..1000 for 10s``, ``soak 50``; a path ends in ``.csv``.

    Args:
        text: What was written.
        duration: Seconds of the whole test, where the shape does not say.
        what: What they wrote it for.
        wanted: Seconds that it must take, where it says itself how long it is.

    Raises:
        InputError: It is no shape, or takes another time than is wanted.
    """
    words = text.split()
    try:
        if text.endswith(".csv"):
            return _lasting(recorded(Path(text)), wanted, f"{what} {text!r}")
        kind = words[0] if words and not _NUMBER.fullmatch(words[0]) else "constant"
        numbers = words[1:] if kind == words[0] else words
        if kind in ("constant", "soak") and len(numbers) == 1:
            whole = 3600.0 if kind == "soak" else 60.0
            return constant(_rate(numbers[0]), duration or whole)
        if kind == "ramp" and len(numbers) == 1:
            low, high = map(_rate, numbers[0].split(".."))
            return ramp(low, high, duration or 60.0)
        if kind == "steps" and len(numbers) in (1, 3):
            rates = [_rate(part) for part in numbers[0].split(",")]
            each = _each(numbers[1:], "each")
            if each is None:
                return steps(rates, (duration or 60.0) / len(rates))
            return _lasting(steps(rates, each), wanted, f"{what} {text!r}")
        if kind == "spike" and len(numbers) in (1, 3):
            low, high = map(_rate, numbers[0].split(".."))
            whole = duration or 60.0
            return spike(low, high, whole, _each(numbers[1:], "for") or whole / 6)
    except (ValueError, IndexError) as error:
        raise InputError(_unclear(what, text, str(error))) from error
    raise InputError(_unclear(what, text, ""))


def _lasting(shape: Shape, wanted: float | None, said: str) -> Shape:
    """Return a shape if it takes as long as it must.

    Raises:
        InputError: It does not.
    """
    if wanted is None or math.isclose(shape.duration, wanted):
        return shape
    raise InputError(
        f"{said} takes {shape.duration:g} s by itself, and --duration says "
        f"{wanted:g} s: leave out --duration"
    )


_NUMBER = re.compile(r"\d+(\.\d+)?(/s)?")


def _rate(text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{text!r} is no rate")
    return float(text.removesuffix("/s"))


def _each(words: Sequence[str], before: str) -> float | None:
    if not words:
        return None
    if words[0] != before:
        raise ValueError(f"expected {before!r} before {words[1]!r}")
    return seconds(words[1])


def seconds(text: str) -> float:
    """Return the seconds of ``30s``, ``5m``, ``1h``, ``250ms`` or ``12``.

    Raises:
        ValueError: It is no length of time above 0.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|min|m|h)?", text.strip())
    if not found or float(found[1]) == 0:
        raise ValueError(f"{text!r} is no length of time, such as 30s, 5m or 1h")
    return float(found[1]) * _UNITS[found[2] or "s"]


def _unclear(what: str, text: str, why: str) -> str:
    return (
        f"{what} {text!r}: no shape that is known{f' ({why})' if why else ''}\n"
        f"  expected a rate ('200'), {KINDS} ('ramp 100..500', "
        "'steps 100,200,400 each 30s', 'spike 100..1000 for 10s', 'soak 50'), or a "
        ".csv file with the columns seconds,rate"
    )
