"""The nearest place in the user's own code."""

import asyncio
import functools
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assay.probe.places import Place, Project, step

PROJECT = Project([str(Path(__file__).parent)])
OTHERS = Project(["/nothing/of/this/is/here"])


def outer() -> Place | None:
    return PROJECT.here()


async def waits(seconds: float) -> None:
    await asyncio.sleep(seconds)


class Called:
    """Something that can be called."""

    def __call__(self) -> None:
        """Do nothing."""


def test_the_innermost_own_frame_is_named() -> None:
    place = outer()
    assert place is not None
    assert (place.function, place.file) == ("outer", "test_places.py")
    line = Path(__file__).read_text().splitlines()[place.line - 1]
    assert "PROJECT.here()" in line


def test_libraries_and_the_probe_are_not_the_users() -> None:
    assert PROJECT.relative(__file__) == "test_places.py"
    assert PROJECT.relative(asyncio.__file__) == ""
    assert PROJECT.relative("<string>") == ""
    assert PROJECT.relative("misread\0.py") == ""
    # A virtual environment in the project's folder is not the project.
    inside = Path(__file__).parent / "venv/lib/python3.12/site-packages/x.py"
    assert PROJECT.relative(str(inside)) == ""
    whole = Project([str(Path(sys.modules["assay"].__file__ or "").parents[1])])
    assert whole.relative(__file__) == "tests/unit/probe/test_places.py"
    probe = Path(sys.modules["assay.probe.places"].__file__ or "")
    assert whole.relative(str(probe)) == ""


def test_a_file_that_a_library_was_compiled_from_is_not_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cython keeps the path of the library's own build, which is relative."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.py").write_text("pass\n")
    project = Project([str(tmp_path)])
    assert project.relative("asyncpg/protocol/protocol.pyx") == ""
    assert project.relative("app.py") == "app.py"


def test_a_task_that_waits_is_known_to_the_line() -> None:
    async def main() -> Place | None:
        task = asyncio.ensure_future(waits(10))
        await asyncio.sleep(0)
        place = PROJECT.of_task(task)
        task.cancel()
        return place

    place = asyncio.run(main())
    assert place is not None and place.function == "waits"


def test_what_a_framework_wraps_is_seen_through() -> None:
    def run(function: object, arguments: object) -> None:
        """Stand for a framework's function."""

    foreign = functools.partial(sorted, key=functools.partial(outer))
    assert (PROJECT.of_callable(foreign) or Place("", "", 0)).function == "outer"
    assert (PROJECT.of_callable(outer) or Place("", "", 0)).function == "outer"
    called = PROJECT.of_callable(Called())
    assert called is not None and called.function == "Called.__call__"
    assert PROJECT.of_callable(len) is None and PROJECT.of_callable(None) is None


class Decorated:
    """A decorator class; its instance replaces the decorated function."""

    def __init__(self, func: object) -> None:
        self.func = func

    def __call__(self) -> None:
        """Do nothing."""


class Hostile:
    """Raises an error if any attribute is read."""

    def __getattr__(self, name: str) -> object:
        raise RuntimeError(name)

    def __call__(self) -> None:
        """Do nothing."""


def test_any_callable_can_be_asked_for() -> None:
    place = PROJECT.of_callable(Decorated(outer))
    assert place is not None and place.function == "Decorated.__call__"
    handed = functools.partial(functools.partial(asyncio.sleep, 1), outer)
    place = PROJECT.of_callable(handed)
    assert place is not None and place.function == "outer"
    PROJECT.of_callable(Hostile())
    PROJECT.of_callable(functools.partial(print, Hostile()))


def test_who_made_a_task_is_known_where_only_a_library_runs_in_it() -> None:
    async def main() -> tuple[Place | None, Place | None]:
        task = asyncio.ensure_future(asyncio.sleep(0.01))
        PROJECT.made(task)
        await asyncio.sleep(0)
        place = PROJECT.of_task(task)
        await task
        return place, PROJECT.of_task(object())

    place, nothing = asyncio.run(main())
    assert place is not None and place.function.endswith("main")
    assert nothing is None
    PROJECT.made([])  # no key of a dictionary, and no error


def test_the_inside_of_a_comprehension_belongs_to_its_function() -> None:
    (code,) = [
        constant
        for constant in outer_with_generator.__code__.co_consts
        if hasattr(constant, "co_name")
    ]
    place = PROJECT.of_code(code)
    assert place is not None
    if sys.version_info >= (3, 11):
        assert place.function == "outer_with_generator"


def outer_with_generator() -> int:
    return sum(number for number in range(3))


def test_a_generator_that_runs_on_is_known() -> None:
    def rows() -> Iterator[int]:
        yield 1

    place = PROJECT.of_generator([rows, 1, rows()])
    assert place is not None and place.file == "test_places.py"
    assert OTHERS.of_generator([rows()]) is None


class Acts:
    """Something that raises an error if an attribute is read."""

    def __getattr__(self, name: str) -> None:
        """Fail."""
        raise AssertionError(name)


def test_arguments_are_not_looked_at() -> None:
    assert PROJECT.of_generator([Acts()]) is None


def test_a_thread_of_a_library_works_on_behalf_of_a_place() -> None:
    place = Place("handler", "app.py", 3)
    seen = []

    def work() -> None:  # as if a library defined it
        seen.append(OTHERS.here())
        with OTHERS.on_behalf_of(place):
            seen.append(OTHERS.here())
            with OTHERS.on_behalf_of(None):
                seen.append(OTHERS.here())
        seen.append(OTHERS.here())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [None, place, place, None]


def test_a_coroutine_that_runs_is_not_asked_what_it_awaits() -> None:
    """Python 3.12 would read beyond the stack of a running frame, and may crash."""
    seen = []

    class Running:
        """A running coroutine, whose `cr_await` must not be read."""

        cr_frame, cr_running = sys._getframe(), True

        @property
        def cr_await(self) -> None:
            seen.append("asked")

    assert step(Running())[1] is None and seen == []

    async def outer() -> None:
        coroutine: Any = asyncio.current_task().get_coro()  # type: ignore[union-attr]
        seen.append(step(coroutine)[1])
        await asyncio.sleep(0)

    asyncio.run(outer())
    assert seen == [None]
