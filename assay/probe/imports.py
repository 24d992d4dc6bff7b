"""Patch modules as soon as the target has imported them."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Callable, Optional

from .totals import Totals

Patch = Callable[[ModuleType], None]


class Imports:
    """An import finder that lets the other finders search, and watches what they find.

    Args:
        totals: Keeps a note on each module that could not be patched.
    """

    def __init__(self, totals: Totals) -> None:
        """Begin without modules to wait for."""
        self._totals = totals
        self._waiting: dict[str, list[Patch]] = {}

    def start(self) -> None:
        """Watch all imports from now on."""
        sys.meta_path.insert(0, self)

    def patch(self, name: str, patch: Patch) -> None:
        """Call a function with a module: now, or as soon as the module is imported."""
        module = sys.modules.get(name)
        if module is not None:
            self._apply(module, patch)
        else:
            self._waiting.setdefault(name, []).append(patch)

    def find_spec(
        self, name: str, path: Any = None, target: Any = None
    ) -> Optional[ModuleSpec]:
        """Return the spec of another finder, with a loader that applies the patches.

        The result is None if no patch waits for this module, or no finder finds it.
        """
        if name not in self._waiting:
            return None
        for finder in list(sys.meta_path):
            find = getattr(finder, "find_spec", None)
            if finder is self or find is None:
                continue
            spec: Optional[ModuleSpec] = find(name, path, target)
            if spec is not None:
                self._watch(spec)
                return spec
        return None

    def _watch(self, spec: ModuleSpec) -> None:
        loader: Any = spec.loader
        execute = getattr(loader, "exec_module", None)
        if execute is None:
            # A folder without __init__.py has no loader, and is no library.
            if loader is not None:
                self._totals.problem(f"{spec.name} cannot be observed")
            return

        def exec_module(module: ModuleType) -> None:
            execute(module)
            # A program may look for a module, and import it later or never.
            for patch in self._waiting.pop(spec.name, ()):
                self._apply(module, patch)

        try:
            loader.exec_module = exec_module
        except AttributeError:
            self._totals.problem(f"{spec.name} cannot be observed")

    def _apply(self, module: ModuleType, patch: Patch) -> None:
        try:
            patch(module)
        except Exception as error:
            # This version of the library cannot be patched, so it is not observed.
            self._totals.problem(f"{module.__name__} cannot be observed: {error!r}")
