"""Which task comes next: by dice in the open loop, from a deck in the closed one."""

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any


class Dice:
    """Draws a task for each arrival, by its weight."""

    def __init__(self, seed: int) -> None:
        """Begin anew."""
        self._draw = random.Random(seed).random

    def throw(self) -> Callable[[Sequence[Any]], Any]:
        """Return the choice of one arrival, which may be made much later.

        It chooses once more for each set of tasks within the one before: what is left
        of a random number once a choice was made with it is as random as it was.
        """
        left = self._draw()

        def choose(tasks: Sequence[Any]) -> Any:
            nonlocal left
            place, left = divmod(left * len(tasks), 1.0)
            return tasks[min(int(place), len(tasks) - 1)]

        return choose


class Deck:
    """Deals tasks: of every deck, each task as often as its weight says.

    A slice is short. Were its tasks drawn by dice, as Locust does, how many slow ones
    it happens to get would differ by more than what is compared. Only the closed loop
    deals: there throughput and CPU time are at stake, which depend on the mix. In the
    open loop slow requests have to come by chance, close together too, since that is
    what makes others wait.
    """

    def __init__(self, seed: int) -> None:
        """Have nothing shuffled yet."""
        self._random = random.Random(seed)
        # What is in a deck, and what is left of it.
        self._decks: dict[tuple[Any, ...], tuple[list[Any], list[Any]]] = {}

    def deal(self, tasks: Sequence[Any]) -> Any:
        """Return the next one.

        Args:
            tasks: What a user can do, each repeated by its weight; whoever can do
                the same shares a deck.
        """
        key = tuple(tasks)
        deck = self._decks.get(key)
        if deck is None:  # this is done for every request, counting for every deck
            deck = self._decks[key] = _cards(tasks), []
        cards, left = deck
        if not left:
            if len(cards) == 1:
                return cards[0]
            left.extend(cards)
            self._random.shuffle(left)
        return left.pop()

    def begun(self, tasks: Sequence[Any]) -> bool:
        """Say whether some of a deck has been dealt, and some not."""
        deck = self._decks.get(tuple(tasks))
        return bool(deck and deck[1])


def _cards(tasks: Sequence[Any]) -> list[Any]:
    """Return each task as often as its weight says, and no oftener."""
    counts = Counter(tasks)
    divisor = math.gcd(*counts.values())
    return [task for task, count in counts.items() for _ in range(count // divisor)]
