"""Plug-ins of one kind: Assay's own, and plug-ins that installed packages add."""

from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points

from assay.errors import InputError


class Registry[Item](Mapping[str, Item]):
    """Items by name: Assay's own, then items of other packages.

    Another package adds an item with an entry point in the group. The name of the
    entry point is the name of the item; its object is the item, or a class that creates
    the item. Nothing is loaded before the first access.
    """

    def __init__(self, group: str, builtin: Mapping[str, Item]) -> None:
        """Create a registry with Assay's own items.

        Args:
            group: The group of the entry points, such as ``assay.profilers``.
            builtin: Assay's own items by name.
        """
        self._group, self._builtin = group, dict(builtin)
        self._items: dict[str, Item] | None = None

    def __getitem__(self, name: str) -> Item:
        """Return an item.

        Raises:
            KeyError: No item has that name.
            InputError: A package's item cannot be loaded, or its name is taken.
        """
        return self._load_all()[name]

    def __iter__(self) -> Iterator[str]:
        """Yield the names, Assay's own first."""
        return iter(self._load_all())

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self._load_all())

    def _load_all(self) -> dict[str, Item]:
        if self._items is None:
            items = dict(self._builtin)
            for entry_point in entry_points(group=self._group):
                if entry_point.name in items:
                    raise InputError(
                        f"{_package(entry_point)}: the entry point "
                        f"{entry_point.name!r} of {self._group} has a name that is "
                        "taken; choose another name"
                    )
                items[entry_point.name] = self._load(entry_point)
            self._items = items
        return self._items

    def _load(self, entry_point: EntryPoint) -> Item:
        try:
            loaded = entry_point.load()
            item: Item = loaded() if isinstance(loaded, type) else loaded
        except Exception as error:
            raise InputError(
                f"{_package(entry_point)}: the entry point {entry_point.name!r} of "
                f"{self._group} ({entry_point.value}) cannot be loaded: "
                f"{type(error).__name__}: {error}; fix or uninstall that package"
            ) from error
        return item


def _package(entry_point: EntryPoint) -> str:
    return entry_point.dist.name if entry_point.dist else "an installed package"
