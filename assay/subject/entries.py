"""Environments in the cache: each is built once, by one process, and then shared."""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from assay.subject import installing
from assay.subject.builds import Build
from assay.subject.cache import Lock, lock_file, locked, remove, remove_unused
from assay.subject.virtual import Environment, examined
from assay.wording import one_line

_COMPLETE = "complete.json"
# These locks keep other processes from removing environments that this one uses.
_held: dict[Path, Lock] = {}

type Progress = Callable[[str], None]


@dataclass(frozen=True)
class Entry:
    """An environment in the cache, which is built once, by one process.

    Attributes:
        place: Its folder, with ``venv``, ``build.log`` and ``complete.json``, which
            marks a complete environment.
        what: Its name in messages.
        folder: The working directory of its build.
        source: What it is built from.
    """

    place: Path
    what: str
    folder: Path
    source: str

    def get(
        self,
        fill: Callable[[Build, Path], Path],
        progress: Progress,
        local: Sequence[str] = (),
        anew: bool = False,
    ) -> Environment:
        """Return the environment; build it first if it is not complete.

        Args:
            fill: Makes the environment in a folder and returns its interpreter.
            progress: Called with a message before a build begins.
            local: See `Environment.local`.
            anew: Whether the environment is built even if it is complete.

        Raises:
            MeasureError: The build failed.
        """
        self.place.parent.mkdir(parents=True, exist_ok=True)
        remove_unused(self.place.parent)
        file = lock_file(self.place)
        lock = _held.setdefault(self.place, Lock(file))
        lock.take(wait=True, shared=True)
        environment = None if anew else self._complete()
        if environment is None:
            # The shared lock is released first, because two processes that kept theirs
            # would wait for each other.
            lock.release()
            with locked(file):
                environment = None if anew else self._complete()
                if environment is None:
                    environment = self._built(fill, progress, tuple(local))
            lock.take(wait=True, shared=True)
        return environment

    def _complete(self) -> Environment | None:
        try:
            text = (self.place / _COMPLETE).read_text(encoding="utf-8")
            kept = json.loads(text)
            python = Path(kept["python"])
            if not python.exists():  # the Python that it was made with is gone
                return None
            return Environment(
                python,
                kept["packages"],
                kept["source"],
                Path(kept["log"]),
                tuple(kept["local"]),
                tuple(kept["own"]),
            )
        except (OSError, ValueError, KeyError, RecursionError):
            return None

    def _built(
        self,
        fill: Callable[[Build, Path], Path],
        progress: Progress,
        local: tuple[str, ...],
    ) -> Environment:
        remove(self.place)
        self.place.mkdir()
        log = self.place / "build.log"
        progress(f"building {one_line(self.what)} (once; log: {log})")
        build = Build(self.what, log, self.folder, installing.index_variables())
        try:
            python = fill(build, self.place / "venv")
            made = examined(python, self.source, log, local)
        except BaseException:
            # The log stays, because the message names it.
            remove(self.place / "venv")
            raise
        kept = {**asdict(made), "python": os.fspath(python), "log": os.fspath(log)}
        # This file marks a complete environment, so it is written last.
        new = self.place / f"{_COMPLETE}.new"
        new.write_text(json.dumps(kept), encoding="utf-8")
        new.rename(self.place / _COMPLETE)
        return made
