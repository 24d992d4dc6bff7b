"""The number of blocks in a launch, and the lengths of their slices."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from assay.experiment import blocks
from assay.experiment.calibration import Schedule
from assay.load.shapes import Shape
from assay.plan import Load

SECONDS = st.dictionaries(st.sampled_from("abcdef"), st.floats(0.0125, 2.0), min_size=1)


def test_identical_code_has_slices_of_one_length() -> None:
    # Calibration once gave 92 and 113 ms: four and five rounds of 8 users.
    assert blocks.equalise_lengths({"a": 0.092, "b": 0.113}) == {"a": 0.113, "b": 0.113}


@given(SECONDS)
def test_no_slice_is_too_short_or_more_than_twice_as_long_as_needed(
    seconds: dict[str, float],
) -> None:
    equalised = blocks.equalise_lengths(seconds)
    assert set(equalised) == set(seconds)
    for name, needed in seconds.items():
        assert needed <= equalised[name] <= blocks.MAX_LENGTH_RATIO * needed
    assert max(equalised.values()) == max(seconds.values())


def test_a_variant_that_is_twice_as_fast_has_slices_of_its_own_length() -> None:
    equalised = blocks.equalise_lengths(
        {"slow": 1.0, "fast": 0.4, "faster": 0.3, "fastest": 0.1}
    )
    assert equalised == {"slow": 1.0, "fast": 0.4, "faster": 0.4, "fastest": 0.1}


def test_a_service_that_mostly_waits_has_more_blocks_of_short_slices() -> None:
    # 8 users of a service that sleeps for 20 ms: 25 requests take 70 ms.
    assert (
        blocks.block_count(20, 0.0125, 0.07, cpu_share=0.15)
        == blocks.MIN_BLOCKS_WAITING
    )
    assert blocks.block_count(20, 0.0125, 0.07, cpu_share=0.9) == blocks.MIN_BLOCKS
    assert blocks.block_count(20, 0.0125, 0.07, decides=False, cpu_share=0.15) == 3
    assert blocks.block_count(20, 0.0125, 1.0, cpu_share=0.01) == blocks.MIN_BLOCKS
    assert blocks.block_count(20, 0.0125, 0.0125, cpu_share=0.15) == 20


@given(
    count=st.integers(1, 40),
    seconds=st.floats(0.01, 4),
    preparation=st.floats(0, 60),
)
def test_a_launch_that_took_long_to_prepare_has_up_to_twice_the_open_blocks(
    count: int, seconds: float, preparation: float
) -> None:
    extended = blocks.extend_for_preparation(count, seconds, preparation)
    assert count <= extended <= 2 * count
    if count < extended:  # the open blocks take at most half of the preparation
        assert (extended - 0.5) * seconds <= preparation / 2
    if extended < 2 * count:
        assert (extended + 0.5) * seconds >= preparation / 2


def test_only_an_open_loop_that_decides_at_a_constant_rate_is_extended() -> None:
    plain = Schedule(Load(), 10.0, {"a": 0.05, "b": 0.05}, 0.05, 4, 14)
    assert plain.extended_for(1.0, 2).open_blocks == 14
    assert plain.extended_for(5.0, 2).open_blocks == 25
    assert plain.extended_for(50.0, 2).open_blocks == 28
    assert plain.extended_for(50.0, 2).closed_blocks == 4
    undecisive = replace(plain, open_decides=False)
    assert undecisive.extended_for(50.0, 2) == undecisive
    shaped = replace(plain, shape=Shape((0.0, 1.0), (1.0, 2.0)))
    assert shaped.extended_for(50.0, 2) == shaped
