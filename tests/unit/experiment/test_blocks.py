"""How the blocks of a launch are laid out."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from assay.experiment import blocks
from assay.experiment.calibration import Schedule
from assay.load.shapes import Shape
from assay.plan import Load

SECONDS = st.dictionaries(st.sampled_from("abcdef"), st.floats(0.0125, 2.0), min_size=1)


def test_identical_code_has_slices_of_one_length() -> None:
    # As calibrated: of 92 and 113 ms one held four rounds of 8 users, the other five.
    assert blocks.alike({"a": 0.092, "b": 0.113}) == {"a": 0.113, "b": 0.113}


@given(SECONDS)
def test_no_slice_is_too_short_or_twice_as_long_as_it_need_be(
    seconds: dict[str, float],
) -> None:
    found = blocks.alike(seconds)
    assert set(found) == set(seconds)
    for name, own in seconds.items():
        assert own <= found[name] <= blocks.ALIKE * own
    assert max(found.values()) == max(seconds.values())


def test_what_is_twice_as_fast_has_slices_of_its_own() -> None:
    found = blocks.alike({"slow": 1.0, "fast": 0.4, "faster": 0.3, "fastest": 0.1})
    assert found == {"slow": 1.0, "fast": 0.4, "faster": 0.4, "fastest": 0.1}


def test_a_service_that_mostly_waits_has_more_blocks_of_short_slices() -> None:
    # 8 users of a service that sleeps for 20 ms: 25 requests take 70 ms.
    assert blocks.number(20, 0.0125, 0.07, busy=0.15) == blocks.FEWEST_WAITING
    assert blocks.number(20, 0.0125, 0.07, busy=0.9) == blocks.FEWEST_BLOCKS
    assert blocks.number(20, 0.0125, 0.07, judged=False, busy=0.15) == 3
    assert blocks.number(20, 0.0125, 1.0, busy=0.01) == blocks.FEWEST_BLOCKS
    assert blocks.number(20, 0.0125, 0.0125, busy=0.15) == 20


@given(
    number=st.integers(1, 40),
    seconds=st.floats(0.01, 4),
    preparation=st.floats(0, 60),
)
def test_a_launch_that_took_long_to_prepare_has_up_to_twice_the_open_blocks(
    number: int, seconds: float, preparation: float
) -> None:
    made = blocks.worthwhile(number, seconds, preparation)
    assert number <= made <= 2 * number
    if number < made:  # it takes half as long as the preparation, and no longer
        assert (made - 0.5) * seconds <= preparation / 2
    if made < 2 * number:
        assert (made + 0.5) * seconds >= preparation / 2


def test_only_an_open_loop_that_decides_and_keeps_its_rate_is_worth_more() -> None:
    plain = Schedule(Load(), 10.0, {"a": 0.05, "b": 0.05}, 0.05, 4, 14)
    assert plain.after(1.0, 2).open_blocks == 14
    assert plain.after(5.0, 2).open_blocks == 25
    assert plain.after(50.0, 2).open_blocks == 28
    assert plain.after(50.0, 2).closed_blocks == 4
    browsed = replace(plain, open_decides=False)
    assert browsed.after(50.0, 2) == browsed
    shaped = replace(plain, shape=Shape((0.0, 1.0), (1.0, 2.0)))
    assert shaped.after(50.0, 2) == shaped
