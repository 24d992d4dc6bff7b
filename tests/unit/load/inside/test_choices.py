"""Which task comes next: from a shuffled deck (closed loop), or at random (open)."""

import itertools
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from assay.load.inside.choices import Deck, Dice

WEIGHTS = st.dictionaries(
    st.sampled_from("abcdefgh"), st.integers(1, 9), min_size=1, max_size=6
)
SEEDS = st.integers(0, 2**32)


def expanded(weights: dict[str, int]) -> list[str]:
    """Return tasks as Locust lists them: each as often as its weight."""
    return [task for task, weight in weights.items() for _ in range(weight)]


@given(WEIGHTS, SEEDS, st.integers(1, 4))
def test_every_deck_has_each_task_by_its_weight(
    weights: dict[str, int], seed: int, decks: int
) -> None:
    tasks, deck = expanded(weights), Deck(seed)
    for _ in range(decks):
        assert Counter(deck.deal(tasks) for _ in tasks) == weights


@given(WEIGHTS, SEEDS, st.integers(2, 5))
def test_a_deck_is_as_small_as_the_weights_allow(
    weights: dict[str, int], seed: int, times: int
) -> None:
    """With weights of 95 and 5, a deck has 20 tasks, not 100."""
    tasks, deck = expanded(weights) * times, Deck(seed)
    dealt = [deck.deal(tasks) for _ in expanded(weights)]
    assert Counter(dealt) == weights


@given(SEEDS)
def test_those_who_can_do_other_things_have_decks_of_their_own(seed: int) -> None:
    deck = Deck(seed)
    dealt = [(deck.deal("aab"), deck.deal("xyy")) for _ in range(3)]
    assert Counter(one for one, _ in dealt) == Counter("aab")
    assert Counter(other for _, other in dealt) == Counter("xyy")


def test_the_order_is_by_chance_and_by_the_seed() -> None:
    firsts = Counter(Deck(seed).deal("abc") for seed in range(3000))
    assert stats.chisquare([firsts[task] for task in "abc"]).pvalue > 0.001
    one, same = Deck(5), Deck(5)
    dealt = [one.deal("abcdef") for _ in range(60)]
    assert dealt == [same.deal("abcdef") for _ in range(60)]
    decks = {tuple(dealt[at : at + 6]) for at in range(0, 60, 6)}
    assert len(decks) > 5, "each deck is shuffled anew"


def test_dice_draw_by_weight_whenever_the_choice_is_made() -> None:
    dice = Dice(7)
    choices = [dice.throw() for _ in range(6000)]
    drawn = [choose("aab") for choose in choices]
    counts = Counter(drawn)
    assert stats.chisquare([counts["a"], counts["b"]], [4000, 2000]).pvalue > 0.001
    again = Dice(7)
    assert [again.throw()("aab") for _ in choices] == drawn
    # The draws are independent, so the rare one sometimes comes twice in a row.
    assert any(one == other == "b" for one, other in itertools.pairwise(drawn))


def test_a_choice_within_a_choice_is_by_chance_too() -> None:
    dice = Dice(3)
    pairs: Counter[tuple[str, str]] = Counter()
    for _ in range(9000):
        choose = dice.throw()
        pairs[choose("ab"), choose("xyz")] += 1
    assert stats.chisquare([pairs[a, x] for a in "ab" for x in "xyz"]).pvalue > 0.001
