"""Rates over time, and how people write them."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import InputError
from assay.load import shapes
from assay.load.shapes import Shape


@st.composite
def drawn(draw: st.DrawFn) -> Shape:
    """Draw a shape of some pieces, steps and pauses among them."""
    count = draw(st.integers(1, 5))
    lengths = draw(
        st.lists(
            st.one_of(st.just(0.0), st.floats(0.1, 5)), min_size=count, max_size=count
        )
    )
    rates = draw(
        st.lists(
            st.one_of(st.just(0.0), st.floats(0.1, 100)),
            min_size=count + 1,
            max_size=count + 1,
        )
    )
    times = [0.0]
    for length in lengths:
        times.append(times[-1] + length)
    return Shape(tuple(times), tuple(rates))


@given(drawn(), st.floats(0, 1))
def test_the_rate_is_on_the_line(shape: Shape, share: float) -> None:
    at = share * shape.duration
    assert 0 <= shape.rate(at) <= max(shape.rates)
    assert shape.rate(-1) == shape.rate(shape.duration + 1) == 0


@given(drawn())
def test_the_expected_number_is_the_area(shape: Shape) -> None:
    steps = 4000
    width = shape.duration / steps
    area = sum(shape.rate((index + 0.5) * width) * width for index in range(steps))
    # A step of the rate within a strip causes an error of at most that strip's area.
    assert shape.expected == pytest.approx(
        area, abs=max(shape.rates) * width * 6 + 1e-9
    )


@pytest.mark.parametrize(
    ("text", "duration", "times", "rates"),
    [
        ("200", None, (0, 60), (200, 200)),
        ("200/s", 5, (0, 5), (200, 200)),
        ("constant 12.5", 8, (0, 8), (12.5, 12.5)),
        ("soak 50", None, (0, 3600), (50, 50)),
        ("ramp 100..500", 30, (0, 30), (100, 500)),
        ("steps 1,2,4 each 10s", None, (0, 10, 10, 20, 20, 30), (1, 1, 2, 2, 4, 4)),
        ("steps 1,2", 10, (0, 5, 5, 10), (1, 1, 2, 2)),
        ("300/min", 10, (0, 10), (5, 5)),
        ("ramp 60..120/min", 10, (0, 10), (1, 2)),
        ("ramp 60/min..120/s", 10, (0, 10), (1, 120)),
        ("steps 7200,3600/h each 1s", None, (0, 1, 1, 2), (2, 2, 1, 1)),
        ("50 for 5s", None, (0, 5), (50, 50)),
        (
            "0..50 in 2m, 50 for 5m, 50..0 in 1m",
            None,
            (0, 120, 120, 420, 420, 480),
            (0, 50, 50, 50, 50, 0),
        ),
        ("0 .. 600/min in 10 s,3/s for 1s", None, (0, 10, 10, 11), (0, 10, 3, 3)),
        (
            "spike 10..100 for 8s",
            60,
            (0, 25, 26, 34, 35, 60),
            (10, 10, 100, 100, 10, 10),
        ),
    ],
)
def test_shapes_as_people_write_them(
    text: str, duration: float | None, times: tuple[float], rates: tuple[float]
) -> None:
    assert shapes.parse(text, duration) == Shape(times, rates)


@pytest.mark.parametrize(
    "text",
    [
        *("", "fast", "200 300", "ramp 100", "ramp 1..2..3", "ramp -1..5", "1e9e9"),
        *("steps", "steps 1,x", "steps 1,2 for 3s", "steps 1,2 each 0s"),
        *("spike 1..2 for 60s", "spike 1..2 for a while", "nan", "inf", "soak"),
    ],
)
def test_what_is_no_shape_is_refused_with_what_would_be(text: str) -> None:
    with pytest.raises(InputError, match="ramp 100..500"):
        shapes.parse(text, 60)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0..50", "stage 1, '0..50': say how long it lasts: '0..50 in 2m'"),
        ("50 for", "'50 for': say how long it lasts: '50 for 2m'"),
        ("0..5 in 2m, 5", "stage 2, '5': say how long it lasts: '5 for 2m'"),
        ("0..50 for 2m", "write '0..50 in 2m'"),
        ("50 in 2m", "write '0..50 in 2m', or '50 for 2m'"),
        ("0..50 in 2m 50 for 5m", "separate stages by a comma"),
        ("0..50 in soon", "'soon' is not a duration"),
        ("0..50 in 0s", "'0s' is not a duration"),
        ("0..50 in 2m,", "stage 2, '': it is empty: leave out a comma"),
        ("0..5..9 in 2m", "a change has two numbers"),
        ("0..many in 2m", "'many' is not a rate, such as 5, 5/s, 300/min or 900/h"),
        ("0..5/m in 2m", "'5/m' is not a rate, such as 5, 5/s, 300/min or 900/h"),
    ],
)
def test_a_malformed_stage_is_named_with_what_to_write(text: str, words: str) -> None:
    with pytest.raises(InputError) as raised:
        shapes.parse(text, None)
    assert words in str(raised.value)
    assert "0..50 in 2m, 50 for 5m" in str(raised.value)


def test_stages_last_as_long_as_they_say() -> None:
    with pytest.raises(InputError, match="lasts 10 s.*leave out --duration"):
        shapes.parse("5 for 10s", 60, required_duration=60)


@given(
    st.lists(st.sampled_from([*"0,./.. ", "50", " in ", " for ", "2m", "/min"])).map(
        "".join
    )
)
def test_whatever_looks_like_stages_is_a_shape_or_refused(text: str) -> None:
    for users in (False, True):
        try:
            assert math.isfinite(shapes.stages(text, users=users).expected)
        except InputError:
            pass


@given(st.text(max_size=30))
def test_any_text_is_a_shape_or_refused(text: str) -> None:
    try:
        assert math.isfinite(shapes.parse(text, 10).expected)
    except InputError:
        pass


def test_a_recorded_series_of_rates(tmp_path: Path) -> None:
    path = tmp_path / "rates.csv"
    path.write_text("seconds,rate\n0,10\n5,20\n5,40\n10,40\n")
    assert shapes.parse(str(path), None) == Shape((0, 5, 5, 10), (10, 20, 40, 40))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "rates.csv:1"),
        ("when,what\n0,1\n", "rates.csv:1"),
        ("seconds,rate\n0,10\n5,fast\n", "rates.csv:3"),
        ("seconds,rate\n0,10\n5\n", "rates.csv:3"),
        ("seconds,rate\n0,10\n", "two times"),
        ("seconds,rate\n1,10\n5,10\n", "two times or more|ascend|for each"),
        ("seconds,rate\n0,10\n5,10\n4,10\n", "ascend"),
        ("seconds,rate\n0,10\n5,-1\n", "0 or more"),
        ("seconds,rate\n0,10\n5,nan\n", "0 or more"),
    ],
)
def test_a_series_that_is_none_is_refused_by_its_line(
    tmp_path: Path, text: str, words: str
) -> None:
    path = tmp_path / "rates.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        shapes.parse(str(path), None)


def test_a_series_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.csv"):
        shapes.parse(str(tmp_path / "nothing.csv"), None)


@pytest.mark.parametrize("text", ["steps 1,2 each 5s", "rates.csv"])
def test_a_shape_takes_the_time_that_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rates.csv").write_text("seconds,rate\n0,10\n10,20\n")
    assert shapes.parse(text, 10, required_duration=10).duration == 10
    assert shapes.parse(text, 60).duration == 10  # as in a scenario, nothing required
    with pytest.raises(InputError, match="lasts 10 s, and --duration"):
        shapes.parse(text, 60, required_duration=60)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("5m", 300),
        ("2min", 120),
        ("1h", 3600),
        ("250ms", 0.25),
        ("12", 12),
    ],
)
def test_lengths_of_time(text: str, seconds: float) -> None:
    assert shapes.seconds(text) == seconds
