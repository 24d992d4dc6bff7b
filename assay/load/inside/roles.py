"""The user classes of a pool, and how its places are shared out to them."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from locust.user.users import User

if TYPE_CHECKING:
    from assay.load.inside.seat import Seat

Choice = Callable[[Sequence[Any]], Any]


class Role:
    """One user class of a pool.

    Attributes:
        cls: The class, with the host that it loads.
        most: How many users of it there may be.
        alive: How many there are, those in their on_start included.
        coming: How many of them have not come through their on_start yet.
        leaving: How many of them are to stop once they have done what they do.
        idle: Those who wait for an arrival, the most recent one last.
        backlog: Arrivals that no user has taken yet: when they were due, and what
            chooses their task.
        short: Arrivals that found no idle user though more were allowed.
        peak: Most arrivals that were under way or waiting at once.
    """

    def __init__(self, cls: type[User], most: int) -> None:
        """Begin without users."""
        self.cls, self.most = cls, most
        self.alive = self.coming = self.leaving = self.short = self.peak = 0
        self.idle: list["Seat"] = []
        self.backlog: deque[tuple[float, Choice]] = deque()

    @property
    def working(self) -> int:
        """How many of its users work on an arrival."""
        return self.alive - self.coming - len(self.idle)


def placed(cls: type[User], host: str) -> dict[str, str]:
    """Return what a user class gets: a host, unless it is to keep its own."""
    own = {"__module__": cls.__module__}
    return {**own, "host": host} if host else own


def share(user_classes: Sequence[type[User]], size: int) -> list[type[User]]:
    """Deal `size` places to the classes by weight, at least one to each.

    Those with a fixed count have as many as they say. Of the others the largest
    quotient takes the next place (D'Hondt), and classes alternate, so that any run of
    neighbours in the pool has about the same mixture.
    """
    fixed = [cls for cls in user_classes if cls.fixed_count > 0]
    places = [cls for cls in fixed for _ in range(cls.fixed_count)]
    weighed = [cls for cls in user_classes if cls.fixed_count <= 0]
    dealt = {cls: 0 for cls in weighed}
    for _ in range(max(size - len(places), len(weighed)) if weighed else 0):
        missing = [cls for cls in weighed if dealt[cls] == 0]
        chosen = max(missing or weighed, key=lambda cls: cls.weight / (dealt[cls] + 1))
        dealt[chosen] += 1
        places.append(chosen)
    return places[:size]
