import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.analysis.attribution.stacks import (
    attribute,
    beyond_noise,
    change_p,
    compare_memory,
    growth_per_request,
    own_values,
    split_frame,
)
from assay.results import Stacks, Timeline

LAZY = "lazyload (sqlalchemy/orm/strategies.py)"
HANDLER = "orders (target_app/main.py)"


def stacks(
    values: dict[tuple[str, ...], float], samples: int = 2000, preset: str = "cpu"
) -> Stacks:
    return Stacks(
        topic="t",
        variant="v",
        preset=preset,
        unit="s",
        requests=1000,
        samples=samples,
        total=sum(values.values()),
        stacks=tuple(values.items()),
    )


def timeline(values: list[float], requests: int = 1000) -> Timeline:
    return Timeline(
        topic="t",
        variant="v",
        preset="memory",
        unit="B",
        requests=requests,
        seconds=tuple(float(index) for index in range(len(values))),
        values=tuple(values),
    )


def test_says_how_much_less_and_where() -> None:
    baseline = stacks({(HANDLER,): 1e-3, (HANDLER, LAZY): 3e-3})
    candidate = stacks({(HANDLER,): 0.92e-3})

    attribution = attribute(baseline, candidate, busy=(0.98, 0.95))

    assert attribution.sentence == (
        "The candidate spends 3.08 ms less CPU per request; "
        "3.00 ms of it is in `lazyload` (strategies.py)."
    )
    assert attribution.kind == "CPU"
    first = attribution.changes[0]
    assert (first.function, first.file) == (
        "lazyload",
        "sqlalchemy/orm/strategies.py",
    )
    assert first.significant
    assert first.change == pytest.approx(-3e-3)
    assert not attribution.changes[1].significant


def test_own_time_counts_only_the_leaf() -> None:
    values = own_values(stacks({("a (x.py)", "b (x.py)"): 2.0, ("a (x.py)",): 1.0}))

    assert values == {"b (x.py)": 2.0, "a (x.py)": 1.0}


def test_identical_profiles_have_nothing_to_tell() -> None:
    profile = stacks({(f"f{index} (x.py)",): 1e-4 for index in range(40)})

    attribution = attribute(profile, profile)

    assert not any(change.significant for change in attribution.changes)
    assert attribution.sentence.startswith("Both sides spend about the same CPU")
    assert "`" not in attribution.sentence


def test_a_difference_within_the_machines_drift_is_not_reported() -> None:
    # With a million samples, sampling noise is far below 8 %; drift of the machine's
    # speed is not.
    baseline = stacks({("f (x.py)",): 1.00e-3}, samples=1_000_000)
    candidate = stacks({("f (x.py)",): 1.08e-3}, samples=1_000_000)

    assert change_p(1.00e-3, 1.08e-3, (baseline, candidate)) < 1e-6
    assert not attribute(baseline, candidate).changes[0].significant


def test_false_discoveries_stay_rare_among_many_functions() -> None:
    random = np.random.default_rng(11)
    false = 0
    for _ in range(60):
        sides = [
            stacks(
                {
                    (f"f{index} (x.py)",): float(count)
                    for index, count in enumerate(random.poisson(20, 100))
                },
                samples=2000,
            )
            for _ in range(2)
        ]
        # The values are already counts: one sample has the value 1.
        profiles = (sides[0], sides[1])
        profiles = (
            profiles[0].model_copy(update={"samples": int(profiles[0].total)}),
            profiles[1].model_copy(update={"samples": int(profiles[1].total)}),
        )
        attribution = attribute(*profiles)
        false += any(change.significant for change in attribution.changes)
    # At most 5 % are expected; more than 9 of 60 have a probability below 0.1 %.
    assert false <= 9


def test_too_few_samples_are_said_to_be_too_few() -> None:
    baseline = stacks({(HANDLER, LAZY): 3e-3}, samples=40)
    candidate = stacks({(HANDLER,): 1e-3}, samples=2000)

    assert "too few samples" in attribute(baseline, candidate).sentence


def test_waiting_is_told_from_working_by_the_cores_kept_busy() -> None:
    profile = stacks({(HANDLER,): 1e-3})

    waits = attribute(profile, profile, busy=(0.03, 0.95))
    unknown = attribute(profile, profile)

    assert waits.kind == "waiting"
    assert "requests of the baseline mostly wait" in waits.evidence
    assert unknown.kind == "unknown"
    assert "cannot tell" in unknown.evidence


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (LAZY, ("lazyload", "sqlalchemy/orm/strategies.py")),
        ("<module>", ("<module>", "")),
        ("f (a) (b (c).py)", ("f (a) (b", "c).py")),
        ("f (unclosed", ("f (unclosed", "")),
    ],
)
def test_frames_split_at_their_last_bracket(
    frame: str, expected: tuple[str, str]
) -> None:
    assert split_frame(frame) == expected


@given(st.text(), st.text(alphabet=st.characters(exclude_characters="()")))
def test_every_frame_that_was_joined_is_split_again(function: str, file: str) -> None:
    assert split_frame(f"{function} ({file})") == (function, file)


VALUES = st.dictionaries(
    st.lists(st.sampled_from("abcdef"), min_size=1, max_size=4).map(tuple),
    st.floats(1e-7, 1.0),
    max_size=12,
)


@given(VALUES, VALUES, st.integers(0, 5000), st.integers(0, 5000))
def test_changes_add_up_and_mirror(
    first: dict[tuple[str, ...], float],
    second: dict[tuple[str, ...], float],
    samples: int,
    others: int,
) -> None:
    baseline, candidate = stacks(first, samples), stacks(second, others)

    forth, back = attribute(baseline, candidate), attribute(candidate, baseline)

    total = sum(change.change for change in forth.changes)
    assert total == pytest.approx(candidate.total - baseline.total, abs=1e-9)
    sizes = [abs(change.change) for change in forth.changes]
    assert sizes == sorted(sizes, reverse=True)
    mirrored = {(c.function, c.file): c for c in back.changes}
    for change in forth.changes:
        other = mirrored[(change.function, change.file)]
        assert change.change == -other.change
        assert change.p == pytest.approx(other.p, abs=1e-9)
        assert 0 <= change.p <= 1


def test_a_missing_side_is_no_discovery() -> None:
    empty, full = stacks({}, 0), stacks({("f (x.py)",): 1.0})

    assert beyond_noise([(0.0, 1.0)], (empty, full)) == [False]


def test_memory_growth_is_bytes_per_request() -> None:
    # 8 kB for each of 1000 requests, which are spread evenly over the profile.
    grows = timeline([100e6 + 8000 * 1000 * i / 400 for i in range(400)])

    assert growth_per_request(grows) == pytest.approx(8000, rel=0.03)


def test_a_step_at_warm_up_is_no_growth() -> None:
    flat = timeline([50e6] * 40 + [100e6 + 1e4 * math.sin(i) for i in range(300)])

    assert growth_per_request(flat) == 0.0


def test_memory_sentence_names_who_grows() -> None:
    grows = timeline([100e6 + 184e3 * i for i in range(400)])
    flat = timeline([100e6] * 400)

    change = compare_memory(grows, flat)

    assert "the baseline grows by" in change.sentence
    assert "the candidate grows" not in change.sentence
    assert change.peaks == (100e6 + 184e3 * 399, 100e6)


def test_memory_that_was_not_observed_is_said_so() -> None:
    change = compare_memory(timeline([]), timeline([1e6] * 50))

    assert change.sentence == "Memory was not observed on both sides."
