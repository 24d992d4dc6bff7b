"""The user classes of a pool, and how its user slots are divided among them."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from locust.user.users import User

if TYPE_CHECKING:
    from assay.load.inside.seat import Seat

Choice = Callable[[Sequence[Any]], Any]  # chooses one of several tasks


class Role:
    """One user class of a pool.

    Attributes:
        cls: The class, with the host that it loads.
        max_users: The largest number of its users.
        alive: The number of its users, including those in their on_start.
        starting: How many of these users have not completed their on_start yet.
        leaving: How many of these users stop once they have done their task.
        idle: Users who wait for an arrival; the user who became idle last is at the
            end.
        backlog: Arrivals that no user has taken yet: when each was due, and the
            function that chooses its task.
        lacked_user: Arrivals that found no idle user though more users were allowed.
        peak: Most arrivals that were in flight or waiting at once.
    """

    def __init__(self, cls: type[User], max_users: int) -> None:
        """Begin without users."""
        self.cls, self.max_users = cls, max_users
        self.alive = self.starting = self.leaving = 0
        self.lacked_user = self.peak = 0
        self.idle: list["Seat"] = []
        self.backlog: deque[tuple[float, Choice]] = deque()

    @property
    def working(self) -> int:
        """How many of its users work on an arrival."""
        return self.alive - self.starting - len(self.idle)


def with_host(cls: type[User], host: str) -> type[User]:
    """Return a subclass with a host; if `host` is empty, the class keeps its own."""
    attributes = {"__module__": cls.__module__}
    if host:
        attributes["host"] = host
    return type(cls.__name__, (cls,), attributes)


def deal_user_slots(user_classes: Sequence[type[User]], size: int) -> list[type[User]]:
    """Deal `size` user slots to the classes by weight.

    Classes with a fixed count get that many slots, before all others. Each other class
    gets one slot; then the class with the largest quotient gets the next slot
    (D'Hondt). So classes alternate, and any run of neighbouring slots has about the
    same mixture. Slots beyond `size` are left out, so the last classes may get none.
    """
    fixed = [cls for cls in user_classes if cls.fixed_count > 0]
    slots = [cls for cls in fixed for _ in range(cls.fixed_count)]
    weighted = [cls for cls in user_classes if cls.fixed_count <= 0]
    dealt = {cls: 0 for cls in weighted}
    for _ in range(max(size - len(slots), len(weighted)) if weighted else 0):
        missing = [cls for cls in weighted if dealt[cls] == 0]
        chosen = max(missing or weighted, key=lambda cls: cls.weight / (dealt[cls] + 1))
        dealt[chosen] += 1
        slots.append(chosen)
    return slots[:size]


def mixture(
    user_slots: Sequence[type[User]], users: int, seed: int
) -> list[type[User]]:
    """Return the classes of some users, as they are mixed in a pool's user slots.

    If there are fewer users than slots, the seed decides which slots are used.
    """
    start = seed % len(user_slots) if users < len(user_slots) else 0
    return [*user_slots[start:], *user_slots][:users]
