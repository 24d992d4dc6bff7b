"""How the rate of arrivals changes over a load test, as a sequence of straight lines.

Two functions suffice to compute the arrivals of any shape, and both are exact on
straight lines: the expected number of arrivals up to a time, and the time at which a
number is reached.
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
_NUMBER = re.compile(r"(\d+(?:\.\d+)?)(?:/(s|min|h))?")
STAGES = "'0..50 in 2m, 50 for 5m, 50..0 in 1m'"  # an example for messages
_SPIKE_EDGE = 1.0  # seconds: steep, but not a step
KINDS = "constant, ramp, steps, spike or soak"


@dataclass(frozen=True)
class Shape:
    """A rate over time.

    Attributes:
        times: Seconds since the start, ascending from 0; two equal times are a step.
        rates: Arrivals per second at these times, with straight lines in between.
    """

    times: tuple[float, ...]
    rates: tuple[float, ...]

    def __post_init__(self) -> None:
        """Check the times and rates.

        Raises:
            ValueError: There are fewer than two times, or not one rate for each; times
                do not begin at 0, or descend; or a rate is negative or not finite.
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
        """The expected number of arrivals."""
        return self.counts()[-1]

    def times_rate(self, rate: float) -> "Shape":
        """Return the shape whose rates are this shape's rates, each times `rate`."""
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
        """Return the rate at a time; 0 before the start and after the end."""
        if not 0 <= time <= self.duration:
            return 0.0
        after = min(bisect.bisect_right(self.times, time), len(self.times) - 1)
        a, b = self.times[after - 1], self.times[after]
        low, high = self.rates[after - 1], self.rates[after]
        return high if a == b else low + (high - low) * (time - a) / (b - a)

    def times_reaching(self, numbers: Iterable[float]) -> Iterable[float]:
        """Yield when the expected number of arrivals reaches each of some numbers.

        Args:
            numbers: Ascending numbers, from 0; numbers beyond the end are left out.
        """
        counts, piece, end = self.counts(), -1, 0.0
        for number in numbers:
            if number >= end:  # a search for every arrival would take too long
                while piece < 0 or counts[piece + 1] <= number:
                    piece += 1
                    if piece == len(counts) - 1:
                        return
                begin, end = counts[piece : piece + 2]
                a, b = self.times[piece : piece + 2]
                low, high = self.rates[piece : piece + 2]
                slope = (high - low) / (b - a)
            yield a + _seconds_until(number - begin, low, slope)


def _seconds_until(area: float, rate: float, slope: float) -> float:
    """Return the seconds t in which a rate that changes evenly gives `area` arrivals.

    This is the root of area = rate t + slope t² / 2, in a form that is also exact for a
    slope near 0.
    """
    root = math.sqrt(max(0.0, rate * rate + 2 * slope * area))
    return 2 * area / (rate + root) if area else 0.0


def constant(rate: float, duration: float) -> Shape:
    """Return a constant rate."""
    return Shape((0.0, duration), (rate, rate))


def ramp(low: float, high: float, duration: float) -> Shape:
    """Return a rate that changes evenly from `low` to `high`."""
    return Shape((0.0, duration), (low, high))


def steps(rates: Sequence[float], step_duration: float) -> Shape:
    """Return rates one after the other, each for `step_duration` seconds."""
    times = [
        (index * step_duration, (index + 1) * step_duration)
        for index in range(len(rates))
    ]
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
    """Return the shape in a CSV file with the columns `seconds` and `rate`.

    Between two rows the rate changes evenly. Two rows with the same time are a step.

    Raises:
        InputError: The file is missing, or contains no such series.
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
                        f"{path}:{rows.line_num}: not a number; {expected}"
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
    label: str = "--rate",
    required_duration: float | None = None,
) -> Shape:
    """Parse the text of a shape.

    ``200``, ``200/s`` and ``300/min`` are constant rates. ``0..50 in 2m, 50 for 5m`` is
    in stages. A text that ends in ``.csv`` is a path. Other shapes begin with a word:
    ``ramp 100..500``, ``steps 100,200,400 each 30s``, ``spike 100..1000 for 10s`` and
    ``soak 50``.

    Args:
        text: The text that the user wrote.
        duration: Seconds of the whole test, unless the shape has its own duration.
        label: The option or key that the text was written for.
        required_duration: Seconds that a shape must last if it has its own duration.

    Raises:
        InputError: The text is not a shape, or does not have the required duration.
    """
    words = text.split()
    try:
        if text.endswith(".csv"):
            shape = recorded(Path(text))
            return of_duration(shape, required_duration, f"{label} {text!r}")
        if is_stages(text):
            shape = stages(text, label)
            return of_duration(shape, required_duration, f"{label} {text!r}")
        kind = words[0] if words and not _NUMBER.fullmatch(words[0]) else "constant"
        numbers = words[1:] if kind == words[0] else words
        if kind in ("constant", "soak") and len(numbers) == 1:
            whole = 3600.0 if kind == "soak" else 60.0
            return constant(_rate(numbers[0]), duration or whole)
        if kind == "ramp" and len(numbers) == 1:
            low, high = _rates(numbers[0].split(".."))
            return ramp(low, high, duration or 60.0)
        if kind == "steps" and len(numbers) in (1, 3):
            rates = _rates(numbers[0].split(","))
            step_duration = _seconds_after("each", numbers[1:])
            if step_duration is None:
                return steps(rates, (duration or 60.0) / len(rates))
            shape = steps(rates, step_duration)
            return of_duration(shape, required_duration, f"{label} {text!r}")
        if kind == "spike" and len(numbers) in (1, 3):
            low, high = _rates(numbers[0].split(".."))
            whole = duration or 60.0
            length = _seconds_after("for", numbers[1:]) or whole / 6
            return spike(low, high, whole, length)
    except (ValueError, IndexError) as error:
        raise InputError(_not_a_shape(label, text, str(error))) from error
    raise InputError(_not_a_shape(label, text, ""))


def of_duration(shape: Shape, required: float | None, written: str) -> Shape:
    """Return a shape if it has the required duration.

    Raises:
        InputError: The shape has another duration.
    """
    if required is None or math.isclose(shape.duration, required):
        return shape
    raise InputError(
        f"{written} lasts {shape.duration:g} s, and --duration says {required:g} s: "
        "leave out --duration"
    )


def has_own_length(text: str) -> bool:
    """Return whether the text of a shape says how long the whole test lasts."""
    steps_of_a_length = text.split()[:1] == ["steps"] and "each" in text.split()
    return text.endswith(".csv") or is_stages(text) or steps_of_a_length


def is_stages(text: str) -> bool:
    """Return whether a text is meant as stages: numbers, and how long each lasts."""
    words = text.replace(",", " , ").split()
    numeric = bool(words) and words[0][0].isdigit()
    return numeric and (".." in text or bool({"in", "for", ","} & set(words)))


def stages(text: str, label: str = "--rate", users: bool = False) -> Shape:
    """Parse stages, each of which begins when the one before it ends.

    ``0..50 in 2m`` is an even change, ``50 for 5m`` stays the same; commas separate
    stages.

    Args:
        text: The text that the user wrote.
        label: The option or key that the text was written for.
        users: Whether the numbers are numbers of users, not rates.

    Raises:
        InputError: A stage is malformed; the message says which, and what to write.
    """
    times, values = list[float](), list[float]()
    for number, part in enumerate(text.split(","), start=1):
        written = " ".join(re.sub(r"\s*\.\.\s*", "..", part).split())
        try:
            (low, high), length = _stage(written, users)
        except ValueError as error:
            raise InputError(
                f"{label} {text!r}: stage {number}, {written!r}: {error}\n"
                f"  expected stages such as {STAGES}"
            ) from error
        begin = times[-1] if times else 0.0
        times += [begin, begin + length]
        values += [low, high]
    try:
        return Shape(tuple(times), tuple(values))
    except ValueError as error:
        raise InputError(f"{label} {text!r}: {error}") from error


def _stage(written: str, users: bool) -> tuple[Sequence[float], float]:
    """Return the numbers at the start and the end of a stage, and its seconds.

    Raises:
        ValueError: The stage is malformed.
    """
    numbers, _, rest = written.partition(" ")
    keyword, _, length = rest.partition(" ")
    if not numbers:
        raise ValueError("it is empty: leave out a comma")
    ends = numbers.split("..")
    if len(ends) > 2:
        raise ValueError("a change has two numbers, such as '0..50 in 2m'")
    values = [_count(end) for end in ends] if users else _rates(ends)
    expected = "in" if len(ends) == 2 else "for"
    if not length:
        raise ValueError(f"say how long it lasts: '{numbers} {expected} 2m'")
    if any(word in ("in", "for") for word in length.split()):
        raise ValueError("separate stages by a comma")
    if keyword != expected:
        change = f"'0..{numbers} in {length}', or " if keyword == "in" else ""
        raise ValueError(f"write {change}'{numbers} {expected} {length}'")
    return (values[0], values[-1]), seconds(length)


def _count(text: str) -> float:
    """Return a number of users.

    Raises:
        ValueError: The text is not a whole number.
    """
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise ValueError(f"{text!r} is not a number of users, such as 50")
    return float(text)


def _rates(texts: Sequence[str]) -> list[float]:
    """Return rates per second; the unit of the last rate applies to rates without one.

    Raises:
        ValueError: A text is not a rate.
    """
    last = _NUMBER.fullmatch(texts[-1])
    return [_rate(text, (last and last[2]) or "s") for text in texts]


def _rate(text: str, unit: str = "s") -> float:
    """Return a rate per second: ``5``, ``5/s``, ``300/min`` or ``900/h``.

    Args:
        text: The text that the user wrote.
        unit: The unit of time if the text has none.

    Raises:
        ValueError: The text is not a rate.
    """
    match = _NUMBER.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is not a rate, such as 5, 5/s, 300/min or 900/h")
    return float(match[1]) / _UNITS[match[2] or unit]


def _seconds_after(keyword: str, words: Sequence[str]) -> float | None:
    """Return the seconds that follow a keyword; None if there are no words."""
    if not words:
        return None
    if words[0] != keyword:
        raise ValueError(f"expected {keyword!r} before {words[1]!r}")
    return seconds(words[1])


def seconds(text: str) -> float:
    """Return the seconds of ``30s``, ``5m``, ``1h``, ``250ms`` or ``12``.

    Raises:
        ValueError: The text is not a duration above 0.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ms|s|min|m|h)?", text.strip())
    if not match or float(match[1]) == 0:
        raise ValueError(f"{text!r} is not a duration, such as 30s, 5m or 1h")
    return float(match[1]) * _UNITS[match[2] or "s"]


def _not_a_shape(label: str, text: str, reason: str) -> str:
    return (
        f"{label} {text!r}: not a known shape{f' ({reason})' if reason else ''}\n"
        f"  expected a rate ('200', '300/min'), stages ({STAGES}), {KINDS} ('ramp "
        "100..500', 'steps 100,200,400 each 30s', 'spike 100..1000 for 10s', 'soak "
        "50'), or a .csv file with the columns seconds,rate"
    )
