"""How the blocks of a launch are laid out."""

from hypothesis import given
from hypothesis import strategies as st

from assay.experiment import blocks

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
