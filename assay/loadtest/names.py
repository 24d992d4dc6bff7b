"""What the rows of a load test are rows of: a kind, a method and a name."""

from typing import Literal, NamedTuple, Self, get_args

Kind = Literal["request", "start", "stop", "task"]
KINDS: tuple[Kind, ...] = get_args(Kind)
# In which order rows are shown: the load first, then what users did around it.
ORDER: tuple[Kind, ...] = ("request", "task", "start", "stop")
SUFFIX: dict[Kind, str] = {"task": "task", "start": "on_start", "stop": "on_stop"}
UNNAMED = "(no name)"  # a row without any name is that of all requests together


class Name(NamedTuple):
    """One thing that samples are samples of.

    Attributes:
        kind: A ``request`` of the load itself, one of a user's on_start (``start``)
            or on_stop (``stop``), or a ``task`` of several requests.
        method: Of HTTP, as the client says it; empty for a task.
        name: Of the request or task.
    """

    kind: Kind
    method: str
    name: str

    @classmethod
    def of(cls, given: object) -> Self:
        """Return the name that a list of three texts stands for.

        Raises:
            ValueError: It is none.
        """
        if isinstance(given, list) and len(given) == 3:
            kind, method, name = given
            if kind in KINDS and isinstance(method, str) and isinstance(name, str):
                return cls(kind, method, name)
        raise ValueError(f"{given!r} is no kind, method and name")

    @property
    def label(self) -> str:
        """Return the method and the name: ``GET /orders``."""
        return " ".join(part for part in (self.method, self.name) if part)

    @property
    def title(self) -> str:
        """Return the label with what it is, unless it is load: ``buy (task)``."""
        suffix = SUFFIX.get(self.kind)
        return f"{self.label} ({suffix})" if suffix else self.label or "all requests"
