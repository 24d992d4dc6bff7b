"""What is installed into the environment that both sides share."""

import dataclasses
import os
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from assay.errors import InputError
from assay.subject import installing, pylock
from assay.subject.builds import Build, BuildError
from assay.subject.installing import Source, install, pip_install
from assay.subject.interpreters import Interpreter
from assay.subject.project import Project, Wanted
from tests.unit.subject.repositories import write

LINUX = {"python_version": "3.12", "sys_platform": "linux"}
INTERPRETER = Interpreter(Path("python"), "3.12.0", "tag", (), LINUX)
PYLOCK = """
lock-version = "1.0"
created-by = "uv \\"0.9\\" \\u007f"
extras = ["x"]
[[packages]]
name = "shop"
directory = { path = ".", editable = true }
[[packages]]
name = "core"
directory = { path = "libs/core" }
[[packages]]
name = "w"
marker = "sys_platform == 'linux'"
archive = { path = "libs/w.whl", size = 3, hashes = { sha256 = "1" } }
[[packages]]
name = "a"
version = "1"
wheels = [{ path = "b.whl", upload-time = 2025-01-01T00:00:00Z, "x y" = [true, 0.5] }]
"""
ENTRY = """
[[package]]
name = "w"
version = "1"
groups = ["main"]
files = [{ file = "w.whl", hash = "sha256:1" }]
source = { type = "file", url = "libs/w.whl" }
"""


@dataclasses.dataclass(frozen=True)
class Recorder(Build):
    """Runs no command; records its arguments, and the file after `-r`.

    Attributes:
        said: The errors of the first commands, which fail; all later ones succeed.
        commands: The arguments of each command.
        files: The content of each file that was installed.
    """

    said: list[str] = dataclasses.field(default_factory=list)
    commands: list[list[str]] = dataclasses.field(default_factory=list)
    files: list[str] = dataclasses.field(default_factory=list)

    def run(self, *command: str | os.PathLike[str]) -> None:
        words = [os.fspath(word) for word in command]
        self.commands.append(words)
        if "-r" in words:
            self.files.append(Path(words[words.index("-r") + 1]).read_text())
        if self.said:
            raise BuildError("it failed", self.said.pop(0))


@pytest.fixture
def recorder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Recorder]:
    monkeypatch.setattr(installing, "find_uv", lambda: ["uv"])
    (tmp_path / "cache").mkdir()

    def make(said: Sequence[str] = ()) -> Recorder:
        log = tmp_path / "cache" / "build.log"
        return Recorder("it", log, tmp_path, {}, list(said))

    return make


def installed(build: Recorder, work: Path, name: str) -> str:
    """Install from a lock file, and return the file that was given to uv."""
    python = Path("bin/python")
    where = Project(work, work)
    install(build, python, Source(name, ()), where, Wanted(), INTERPRETER)
    (content,) = build.files
    return content


def test_folders_of_a_pylock_are_left_to_each_side(
    tmp_path: Path, recorder: Callable[..., Recorder]
) -> None:
    work = tmp_path / "work"
    write(work, **{"pylock.toml": PYLOCK})
    build = recorder()
    content = tomllib.loads(installed(build, work, "pylock.toml"))
    expected = tomllib.loads(PYLOCK)
    wheel, dated = expected["packages"][2:]
    # Paths must be absolute, because the file is in another folder.
    wheel["archive"]["path"] = str(work / "libs/w.whl")
    dated["wheels"][0]["path"] = str(work / "b.whl")
    assert content == {**expected, "packages": [wheel, dated]}
    # The file is not kept, because the URL of an index can contain a password.
    assert not list((tmp_path / "cache").iterdir())
    # uv recognises the file by its name.
    assert build.commands[0][-1].endswith("/pylock.toml")


def test_a_pylock_without_folders_is_installed_as_it_is(
    tmp_path: Path, recorder: Callable[..., Recorder]
) -> None:
    work, build = tmp_path / "work", recorder()
    text = 'packages = [{ name = "a", version = "1" }]\n'
    write(work, **{"pylock.toml": text})
    assert not pylock.has_folders(tomllib.loads(text))
    assert installed(build, work, "pylock.toml") == text
    assert build.commands[0][-1] == str(work / "pylock.toml")


def test_a_wheel_of_a_poetry_lock_is_installed(
    tmp_path: Path, recorder: Callable[..., Recorder]
) -> None:
    work = tmp_path / "work"
    write(work, **{"poetry.lock": ENTRY, "libs/w.whl": "a wheel"})
    line = f"w @ {(work / 'libs/w.whl').as_uri()} --hash=sha256:1\n"
    assert installed(recorder(), work, "poetry.lock") == line


def test_a_wheel_that_is_not_in_the_checkout_is_named(
    tmp_path: Path, recorder: Callable[..., Recorder]
) -> None:
    work = tmp_path / "work"
    write(work, **{"poetry.lock": ENTRY})
    with pytest.raises(InputError, match=r"poetry\.lock: w: .*libs/w\.whl.*commit it"):
        installed(recorder(), work, "poetry.lock")
    # A wheel that this interpreter does not need may be missing.
    elsewhere = f"{ENTRY}markers = \"sys_platform == 'win32'\"\n"
    write(work, **{"poetry.lock": elsewhere})
    build = recorder()
    where = Project(work, work)
    install(build, Path("p"), Source("poetry.lock", ()), where, Wanted(), INTERPRETER)
    assert not build.commands


@pytest.mark.parametrize(
    "said",
    [
        "error: unexpected argument '--exclude-newer' found",
        "warning: a-1.whl is missing an upload date, but user provided: 2025",
        "  Because a==1 has no publish\n      time, it cannot be used",
    ],
)
def test_without_times_there_is_no_limit(
    recorder: Callable[..., Recorder], said: str
) -> None:
    build = recorder([said])
    pip_install(build, Path("python"), ["a"], "2025-01-01T00:00:00Z")
    limited, unlimited = build.commands
    assert limited == [*unlimited, "--exclude-newer", "2025-01-01T00:00:00Z"]


def test_any_other_failure_is_not_tried_again(
    recorder: Callable[..., Recorder],
) -> None:
    build = recorder(["error: Failed to build a"])
    with pytest.raises(BuildError):
        pip_install(build, Path("python"), ["a"], "2025-01-01T00:00:00Z")
    assert len(build.commands) == 1
