"""Choose the next task: with dice in the open loop, from a deck in the closed loop."""

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any


class Dice:
    """Draws a task for each arrival, in proportion to the weights of the tasks."""

    def __init__(self, seed: int) -> None:
        """Seed the dice."""
        self._draw = random.Random(seed).random

    def throw(self) -> Callable[[Sequence[Any]], Any]:
        """Return a function that chooses one arrival's task; it may be called later.

        Each nested set of tasks needs one more choice. That choice reuses the random
        number: the remainder that a choice leaves is as random as the number itself.
        """
        rest = self._draw()

        def choose(tasks: Sequence[Any]) -> Any:
            nonlocal rest
            index, rest = divmod(rest * len(tasks), 1.0)
            return tasks[min(int(index), len(tasks) - 1)]

        return choose


class Deck:
    """Deals tasks: every deck holds each task as often as its weight says.

    A slice is short. If its tasks were drawn at random, as Locust draws them, the
    number of slow tasks would vary by more than the difference that is measured. Only
    the closed loop uses a deck: it measures throughput and CPU time, which depend on
    the mix. In the open loop, slow requests must come by chance, sometimes close
    together, because several slow requests in a row make others wait.
    """

    def __init__(self, seed: int) -> None:
        """Begin without any deck."""
        self._random = random.Random(seed)
        # The tasks of each deck, and its tasks that have not been dealt yet.
        self._decks: dict[tuple[Any, ...], tuple[list[Any], list[Any]]] = {}

    def deal(self, tasks: Sequence[Any]) -> Any:
        """Return the next task.

        Args:
            tasks: The tasks of a user, each repeated by its weight. Users with the
                same tasks share a deck.
        """
        key = tuple(tasks)
        deck = self._decks.get(key)
        if deck is None:  # weights are counted once per deck, not per request
            deck = self._decks[key] = _cards(tasks), []
        cards, undealt = deck
        if not undealt:
            if len(cards) == 1:
                return cards[0]
            undealt.extend(cards)
            self._random.shuffle(undealt)
        return undealt.pop()

    def begun(self, tasks: Sequence[Any]) -> bool:
        """Return whether a part of a deck has been dealt, but not all of it."""
        deck = self._decks.get(tuple(tasks))
        return bool(deck and deck[1])


def _cards(tasks: Sequence[Any]) -> list[Any]:
    """Return the smallest deck that holds the tasks in proportion to their weights."""
    counts = Counter(tasks)
    divisor = math.gcd(*counts.values())
    return [task for task, count in counts.items() for _ in range(count // divisor)]
