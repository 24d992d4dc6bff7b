"""What Assay has of a kind, and what other installed packages add to it."""

from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points

from assay.errors import InputError


class Registry[Item](Mapping[str, Item]):
    """Items by name: Assay's own, then those of other packages.

    Another package adds one by an entry point of the group, whose name is the item's
    and whose object is the item itself, or a class that makes one. Nothing is loaded
    before somebody looks.
    """

    def __init__(self, group: str, own: Mapping[str, Item]) -> None:
        """Take Assay's own.

        Args:
            group: Of the entry points, such as ``assay.profilers``.
            own: Items by name.
        """
        self._group, self._own = group, dict(own)
        self._every: dict[str, Item] | None = None

    def __getitem__(self, name: str) -> Item:
        """Return an item.

        Raises:
            KeyError: There is none of that name.
            InputError: A package's item cannot be loaded, or has a name that is taken.
        """
        return self._all()[name]

    def __iter__(self) -> Iterator[str]:
        """Yield the names, Assay's own first."""
        return iter(self._all())

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._all())

    def _all(self) -> dict[str, Item]:
        if self._every is None:
            every = dict(self._own)
            for point in entry_points(group=self._group):
                if point.name in every:
                    raise InputError(
                        f"{_origin(point)}: the entry point {point.name!r} of "
                        f"{self._group} has a name that is taken; name it otherwise"
                    )
                every[point.name] = self._loaded(point)
            self._every = every
        return self._every

    def _loaded(self, point: EntryPoint) -> Item:
        try:
            found = point.load()
            item: Item = found() if isinstance(found, type) else found
        except Exception as error:
            raise InputError(
                f"{_origin(point)}: the entry point {point.name!r} of {self._group} "
                f"({point.value}) cannot be loaded: {type(error).__name__}: {error}; "
                "mend or uninstall that package"
            ) from error
        return item


def _origin(point: EntryPoint) -> str:
    return point.dist.name if point.dist else "an installed package"
