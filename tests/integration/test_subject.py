"""Two commits of a project, each with its own package, built by real pip and uv."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import iniconfig
import psutil
import pytest

from assay.errors import InputError, MeasureError
from assay.subject import builds, checkouts, entries, installing
from assay.subject.checkouts import checkout
from assay.subject.environments import (
    Environment,
    Recipe,
    add_pytest_benchmark,
    environment,
    side_environment,
)
from assay.subject.imported import content_hash, foreign
from assay.subject.repository import Repository
from tests.unit.subject.repositories import commit, create, fingerprint, git, write

# A build backend that needs only the standard library, so that no test depends on a
# build tool from an index. Like setuptools, it leaves build products behind.
BACKEND = """
import pathlib, re, zipfile

def get_requires_for_build_wheel(settings=None):
    return []

def build_wheel(into, settings=None, metadata=None):
    text = pathlib.Path("pyproject.toml").read_text()
    name, version = (re.search(f'^{key} = "(.+)"', text, re.M)[1]
                     for key in ("name", "version"))
    needs = re.findall(r'^# needs (.+)', text, re.M)
    pathlib.Path("build").mkdir(exist_ok=True)
    pathlib.Path("build/product").write_text("x")
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(pathlib.Path(into, f"{name}-{version}-py3-none-any.whl"), "w") as wheel:
        for file in pathlib.Path("src").rglob("*.py"):
            wheel.write(file, file.relative_to("src"))
        wheel.writestr(f"{info}/METADATA", "\\n".join(
            ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}",
             *(f"Requires-Dist: {need}" for need in needs), ""]))
        wheel.writestr(f"{info}/WHEEL",
            "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/entry_points.txt", f"[console_scripts]\\n{name} = {name}:main\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return f"{name}-{version}-py3-none-any.whl"
"""  # noqa: E501
PYPROJECT = """
[project]
name = "{name}"
version = "{version}"
{rest}
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""
CODE = "def main():\n    print({number})\n"
SHOWN = """
import importlib.metadata, json, sys
import {name}
print(json.dumps([{name}.__file__, importlib.metadata.version("{name}")]))
"""
NEEDS_INICONFIG = 'dependencies = ["iniconfig==2.0.0"]'
TOOLS = "tools-1.0-py3-none-any.whl"
TOOLS_LOCK = """
[[package]]
name = "tools"
version = "1.0"
groups = ["main"]
files = [{{file = "{file}", hash = "sha256:{hash}"}}]
source = {{type = "file", url = "my wheels/{file}"}}
"""

type Said = list[str]


@pytest.fixture(scope="session")
def uv(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the path of uv; install its wheel if uv is missing."""
    if found := builds.find_uv():
        return found[0]
    folder = tmp_path_factory.mktemp("uv")
    words = ["-m", "pip", "install", "-q", "--target", str(folder), "uv"]
    if subprocess.run([sys.executable, *words]).returncode:
        pytest.skip("uv cannot be installed from the index")
    return str(folder / "bin" / "uv")


@pytest.fixture
def only_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (builds, installing):
        monkeypatch.setattr(module, "find_uv", list)
    monkeypatch.setattr("assay.subject.environments.find_uv", list)
    monkeypatch.setattr("assay.subject.metadata.find_uv", list)


@pytest.fixture(params=["uv", "pip"])
def installer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Make Assay install with uv or with pip, as on a machine with or without uv."""
    if request.param == "pip":
        request.getfixturevalue("only_pip")
    else:
        folder = Path(request.getfixturevalue("uv")).parent
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return str(request.param)


@pytest.fixture(autouse=True)
def locks() -> Iterator[None]:
    yield
    for held in (checkouts._held, entries._held):
        for lock in held.values():
            lock.release()
        held.clear()


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "a cache"


def package(
    folder: Path,
    number: int,
    rest: str = "",
    name: str = "shop",
    version: str = "",
) -> None:
    """Write a package that prints a number."""
    text = PYPROJECT.format(name=name, version=version or f"{number}.0", rest=rest)
    files = {"pyproject.toml": text, "backend.py": BACKEND}
    write(folder, **files, **{f"src/{name}/__init__.py": CODE.format(number=number)})


def run(side: Environment, *command: str, cwd: Path) -> str:
    done = subprocess.run(
        command,
        cwd=cwd,
        env=side.process_variables,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def shown(side: Environment, cwd: Path, name: str = "shop") -> tuple[str, str]:
    """Return the file and the version of the package that a side imports."""
    file, version = json.loads(
        run(side, "python", "-c", SHOWN.format(name=name), cwd=cwd)
    )
    return file, version


def built(
    work: Path, ref: str, cache: Path, recipe: Recipe = Recipe(), project: str = ""
) -> tuple[Path, Environment, Environment, Said]:
    """Build one side; return its checkout, both environments and the messages."""
    repository = Repository.find(work, cache)
    wanted = repository.working_tree() if ref == "." else repository.commit(ref)
    said: Said = []
    place = checkout(repository, wanted, cache)
    shared = environment(place, project, recipe, cache, said.append)
    side = side_environment(shared, place, project, cache, said.append)
    return place, shared, side, said


def test_both_sides_share_packages_and_have_their_own(
    tmp_path: Path, cache: Path, installer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = create(tmp_path / "a project")
    package(work, 1, NEEDS_INICONFIG)
    commit(work, "one")
    package(work, 2, NEEDS_INICONFIG)  # not committed
    before = fingerprint(work)
    monkeypatch.setenv("PYTHONPATH", str(work / "src"))
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "nowhere"))
    base, base_shared, base_side, said = built(work, "HEAD", cache)
    head, head_shared, head_side, more = built(work, ".", cache)
    assert [line.split(" (once")[0] for line in said + more] == [
        "building the environment of pyproject.toml",
        f"building the package shop at {git(base, 'rev-parse', '--short=7', 'HEAD')}",
        f"building the package shop at {git(head, 'rev-parse', '--short=7', 'HEAD')}",
    ]
    assert base_shared == head_shared and base_shared.source == "pyproject.toml"
    assert base_shared.packages["iniconfig"] == "2.0.0"
    assert "shop" not in base_shared.packages
    assert (base_side.packages["shop"], head_side.packages["shop"]) == ("1.0", "2.0")
    # Entry points, metadata and imports are those of the side, from any folder.
    assert run(base_side, "shop", cwd=tmp_path) == "1"
    assert run(head_side, "shop", cwd=tmp_path) == "2"
    base_file, version = shown(base_side, base)
    assert version == "1.0" and Path(base_file).is_relative_to(base_side.prefix)
    head_file, version = shown(head_side, head)
    assert version == "2.0" and Path(head_file).is_relative_to(head_side.prefix)
    other = run(base_side, "python", "-c", "import iniconfig as i; print(i)", cwd=base)
    assert str(base_shared.prefix) in other
    # The proof of which code a side ran.
    ours, theirs = [base, base_side.prefix], [head, head_side.prefix]
    assert foreign([base_file], ours, theirs, work) == []
    assert foreign([head_file], ours, theirs, work) == [head_file]
    assert content_hash([base_file], ours) != content_hash([head_file], theirs)
    # The build left nothing: neither in the checkouts nor in the user's work tree.
    assert git(head, "status", "--porcelain", "--ignored") == ""
    assert fingerprint(work) == before
    # The second time nothing is built.
    again = built(work, ".", cache)
    assert again[2] == head_side and again[3] == []


def test_a_project_in_a_folder_with_requirements_and_local_packages(
    tmp_path: Path, cache: Path, installer: str
) -> None:
    work = create(tmp_path / "work")
    package(work / "libs" / "helper", 1, name="helper")
    text = "\n# needs iniconfig==2.0.0\n# needs nowhere; extra == 'more'\n"
    package(work / "services/api", 1, f'dynamic = ["dependencies"]{text}')
    lines = "-e .\n../../libs/helper\npyflakes==3.2.0\n"
    write(work, **{"services/api/requirements.txt": lines})
    commit(work, "one")
    package(work / "libs" / "helper", 2, name="helper")
    commit(work, "two")
    base, shared, base_side, _ = built(work, "HEAD~1", cache, project="services/api")
    head, other, head_side, _ = built(work, "HEAD", cache, project="services/api")
    assert shared == other and shared.source == "requirements.txt"
    assert {"iniconfig", "pyflakes"} <= set(shared.packages)
    assert not {"shop", "helper"} & set(shared.packages)
    assert shown(base_side, base, "helper")[1] == "1.0"
    assert shown(head_side, head, "helper")[1] == "2.0"
    assert shown(head_side, head)[1] == "1.0"
    # A program of a shared package sees the packages of the side.
    assert "usage" in run(base_side, "pyflakes", "--help", cwd=base).lower()
    first = Path(base_side.python.parent, "pyflakes").read_text().splitlines()[:2]
    assert str(base_side.prefix) in "".join(first)


def test_a_folder_that_is_no_package_is_its_own_checkout(
    tmp_path: Path, cache: Path, installer: str
) -> None:
    files = {"requirements.txt": "iniconfig==2.0.0\n", "shop.py": "NUMBER = 1\n"}
    work = create(tmp_path / "work", **files)
    write(work, **{"shop.py": "NUMBER = 2\n"})
    base, shared, side, _ = built(work, "HEAD", cache)
    head, _, other, _ = built(work, ".", cache)
    assert side == shared == other
    for place, number in ((base, "1"), (head, "2")):
        code = "import shop; print(shop.NUMBER, shop.__file__)"
        said = run(side, "python", "-c", code, cwd=place)
        assert said == f"{number} {place / 'shop.py'}"


def test_a_changed_lock_file_is_another_environment(
    tmp_path: Path, cache: Path, installer: str
) -> None:
    work = create(tmp_path / "work", **{"requirements.txt": "iniconfig==2.0.0\n"})
    commit(work, "newer", **{"requirements.txt": "iniconfig==2.1.0\n"})
    base = built(work, "HEAD~1", cache)[1]
    head = built(work, "HEAD", cache)[1]
    assert base.packages["iniconfig"] == "2.0.0"
    assert head.packages["iniconfig"] == "2.1.0"
    assert base.python != head.python


def test_a_poetry_lock_without_poetry(
    tmp_path: Path, cache: Path, installer: str
) -> None:
    hashed = "sha256:b6a85871a79d2e3b22d2d1b94ac2824226a63c6b741c88f7ae975f18b6778374"
    lock = f"""
[[package]]
name = "iniconfig"
version = "2.0.0"
groups = ["main"]
files = [{{file = "iniconfig-2.0.0-py3-none-any.whl", hash = "{hashed}"}}]
"""
    work = create(tmp_path / "work", **{"poetry.lock": lock})
    assert built(work, "HEAD", cache)[1].packages["iniconfig"] == "2.0.0"
    # The hash is checked.
    wrong = lock.replace("sha256:b6a8", "sha256:0000")
    commit(work, "forged", **{"poetry.lock": wrong})
    with pytest.raises(MeasureError, match="(?i)hash"):
        built(work, "HEAD", cache)


def test_a_lock_of_uv(tmp_path: Path, cache: Path, uv: str, only_pip: None) -> None:
    """If uv is missing, Assay installs it beside the environment, for this use only."""
    work = create(tmp_path / "work")
    package(work, 1, f'requires-python = ">=3.10"\n{NEEDS_INICONFIG}')
    words = [uv, "lock", "-q", "--python", sys.executable]
    subprocess.run(words, cwd=work, check=True)
    commit(work, "locked")
    package(work, 2, f'requires-python = ">=3.10"\n{NEEDS_INICONFIG}')
    place, shared, side, _ = built(work, "HEAD", cache)
    head, other, head_side, _ = built(work, ".", cache)
    assert shared.source == "uv.lock" and shared == other
    assert shared.packages["iniconfig"] == "2.0.0" and "shop" not in shared.packages
    assert shown(side, place)[1] == "1.0" and shown(head_side, head)[1] == "2.0"


def test_a_pylock_leaves_the_project_to_each_side(
    tmp_path: Path, cache: Path, uv: str, only_pip: None
) -> None:
    work = create(tmp_path / "work")
    package(work, 1, f'requires-python = ">=3.10"\n{NEEDS_INICONFIG}')
    words = [uv, "export", "-q", "--python", sys.executable, "-o", "pylock.toml"]
    subprocess.run(words, cwd=work, check=True)
    (work / "uv.lock").unlink()
    assert "directory = " in (work / "pylock.toml").read_text()
    commit(work, "locked")
    place, shared, side, _ = built(work, "HEAD", cache)
    assert shared.source == "pylock.toml"
    assert shared.packages["iniconfig"] == "2.0.0" and "shop" not in shared.packages
    assert shown(side, place)[1] == "1.0"


def test_a_wheel_in_the_repository_that_a_poetry_lock_names(
    tmp_path: Path, cache: Path, installer: str
) -> None:
    work = create(tmp_path / "work")
    (work / "my wheels").mkdir()
    locks, said = [], []
    for number in (1, 2):
        tools = tmp_path / f"tools{number}"
        package(tools, number, name="tools", version="1.0")
        words = [sys.executable, "-c", "import backend; backend.build_wheel('.')"]
        subprocess.run(words, cwd=tools, check=True)
        wheel = (tools / TOOLS).read_bytes()
        (work / "my wheels" / TOOLS).write_bytes(wheel)
        locks.append(TOOLS_LOCK.format(file=TOOLS, hash=sha256(wheel).hexdigest()))
        commit(work, f"wheel {number}", **{"poetry.lock": locks[-1]})
        place, shared, side, _ = built(work, "HEAD", cache)
        assert shared.packages["tools"] == "1.0"
        said.append(run(side, "python", "-c", "import tools; tools.main()", cwd=place))
    assert said == ["1", "2"]
    # A wheel that differs from the locked one is refused.
    commit(work, "forged", **{"poetry.lock": locks[0]})
    with pytest.raises(MeasureError, match="(?i)hash"):
        built(work, "HEAD", cache)


# The build command.


def test_a_build_command_is_run_in_the_checkout(
    tmp_path: Path, cache: Path, installer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = create(tmp_path / "work")
    package(work, 1)
    script = "import pathlib, sys; pathlib.Path('built').write_text(sys.prefix)\n"
    commit(work, "one", **{"build.py": script, ".gitignore": "built\n"})
    recipe = Recipe(build="python build.py")
    place, shared, side, said = built(work, "HEAD", cache, recipe)
    assert side == shared and shared.source == "--build" and len(said) == 1
    assert (place / "built").read_text() == str(shared.prefix)
    assert built(work, "HEAD", cache, recipe)[3] == []
    # The next process finds a clean checkout, and builds in it again.
    checkouts._held.pop(place).release()
    assert len(built(work, "HEAD", cache, recipe)[3]) == 1
    assert (place / "built").exists()
    with pytest.raises(InputError, match="--build"):
        built(work, "HEAD", cache, Recipe(build="python 'unclosed"))


# What goes wrong.


def test_a_build_that_fails_on_one_side(
    tmp_path: Path, cache: Path, installer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = create(tmp_path / "work")
    package(work, 1)
    commit(work, "one")
    broken = BACKEND + "\nraise SystemExit('no wheel today')\n"
    commit(work, "two", **{"backend.py": broken})
    assert built(work, "HEAD~1", cache)[2].packages["shop"] == "1.0"
    with pytest.raises(MeasureError) as raised:
        built(work, "HEAD", cache)
    message = str(raised.value)
    assert message.startswith("the package shop at ")
    assert "no wheel today" in message and "--no-deps" in message
    assert raised.value.exit_code == 4
    log = Path(message.partition("the whole log: ")[2].splitlines()[0])
    assert "no wheel today" in log.read_text()
    assert not (log.parent / "venv").exists()
    # The failed build must not count as complete: the second attempt fails, too.
    with pytest.raises(MeasureError, match="no wheel today"):
        built(work, "HEAD", cache)


def test_a_secret_of_the_index_is_written_nowhere(
    tmp_path: Path, cache: Path, installer: str
) -> None:
    index = "http://ada:sesame@127.0.0.1:1/simple"
    text = f"--index-url {index}\nshop-that-is-nowhere==1\n"
    work = create(tmp_path / "work", **{"requirements.txt": text})
    recipe = Recipe(build=f"{{}} -m pip download --retries 0 -i {index} nowhere-at-all")
    command = str(recipe.build).format(sys.executable)
    with pytest.raises(MeasureError) as raised:
        built(work, "HEAD", cache, Recipe(build=command))
    assert "sesame" not in str(raised.value) and "***@" in str(raised.value)
    kept = [x for x in (cache / "environments").rglob("*") if x.is_file()]
    assert kept and not any(b"sesame" in file.read_bytes() for file in kept)


INTERRUPTED = """
import sys
from pathlib import Path
from assay.subject.environments import Recipe, environment
from assay.system import processes
place, cache, build = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
with processes.guarded():
    found = environment(place, "", Recipe(build=build or None), cache, print)
print(found.python)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_build_leaves_nothing(
    tmp_path: Path, cache: Path, number: signal.Signals
) -> None:
    started = tmp_path / "started"
    script = "import os, pathlib, sys, time\np = pathlib.Path(sys.argv[1])\n"
    script += "if not p.exists():\n    p.write_text(str(os.getpid()))\n"
    script += "    time.sleep(120)\n"
    work = create(tmp_path / "work", **{"build.py": script})
    repository = Repository.find(work, cache)
    place = checkout(repository, repository.commit("HEAD"), cache)
    command = [sys.executable, "-c", INTERRUPTED, str(place), str(cache)]
    build = f"python build.py '{started}'"
    process = subprocess.Popen([*command, build], stderr=subprocess.PIPE, text=True)
    wait_until(started.exists)
    wait_until(lambda: started.read_text() != "")
    child = psutil.Process(int(started.read_text()))
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode != 0
    wait_until(lambda: not child.is_running())
    (entry,) = (cache / "environments").glob("*[!k]")
    assert not (entry / "complete.json").exists()
    done = subprocess.run([*command, build], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (entry / "complete.json").exists()


def test_two_processes_build_an_environment_once(tmp_path: Path, cache: Path) -> None:
    work = create(tmp_path / "work", **{"requirements.txt": "iniconfig==2.0.0\n"})
    repository = Repository.find(work, cache)
    place = checkout(repository, repository.commit("HEAD"), cache)
    command = [sys.executable, "-c", INTERRUPTED, str(place), str(cache), ""]
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)
    ]
    said = [process.communicate(timeout=300)[0].splitlines() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sorted(len(lines) for lines in said) == [1, 2]  # one of them built it
    assert said[0][-1] == said[1][-1]


def test_an_environment_whose_python_is_gone_is_built_anew(
    tmp_path: Path, cache: Path
) -> None:
    work = create(tmp_path / "work", **{"requirements.txt": "iniconfig==2.0.0\n"})
    shared = built(work, "HEAD", cache)[1]
    shared.python.unlink()
    assert built(work, "HEAD", cache)[1].python.exists()


def test_a_folder_that_is_not_there(tmp_path: Path, cache: Path) -> None:
    work = create(tmp_path / "work")
    with pytest.raises(InputError, match="'services/api': there is no such folder"):
        built(work, "HEAD", cache, project="services/api")


def test_a_folder_without_any_file_gets_the_active_environment(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = create(tmp_path / "work")
    monkeypatch.setenv("VIRTUAL_ENV", sys.prefix)
    shared, side = built(work, "HEAD", cache)[1:3]
    assert side == shared and shared.source == "the active environment"
    assert shared.python.parent.parent == Path(sys.prefix)
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path))
    with pytest.raises(InputError, match="no Python that runs"):
        built(work, "HEAD", cache)
    monkeypatch.delenv("VIRTUAL_ENV")
    assert built(work, "HEAD", cache)[1].packages.keys() <= {"pip"}


# pytest-benchmark.


def test_pytest_benchmark_hides_nothing_of_the_project(
    tmp_path: Path, cache: Path, installer: str
) -> None:
    """The project is a package that pytest itself needs."""
    work = create(tmp_path / "work")
    package(work, 9, name="iniconfig")
    test = "def test_it(benchmark):\n    import iniconfig\n"
    test += "    assert iniconfig.SIDE == 9\n    benchmark(len, 'x')\n"
    ordinary = Path(iniconfig.__file__).parent
    shutil.copytree(ordinary, work / "src" / "iniconfig", dirs_exist_ok=True)
    with (work / "src" / "iniconfig" / "__init__.py").open("a") as file:
        file.write("\nSIDE = 9\n")
    write(work, **{"test_it.py": test})
    commit(work, "one")
    place, shared, side, said = built(work, "HEAD", cache)
    files = sorted(path for path in side.prefix.rglob("*") if path.suffix != ".pyc")
    more = add_pytest_benchmark(side, cache, said.append)
    assert {"pytest", "pytest-benchmark"} <= set(more.packages)
    assert "pytest" not in side.packages
    words = ("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py")
    assert "1 passed" in run(more, *words, cwd=place)
    imported, version = shown(more, place, "iniconfig")
    assert version == "9.0" and Path(imported).is_relative_to(side.prefix)
    # The environment itself is as it was, and nothing is added twice.
    assert files == sorted(x for x in side.prefix.rglob("*") if x.suffix != ".pyc")
    assert add_pytest_benchmark(more, cache, said.append) is more
    assert add_pytest_benchmark(side, cache, said.append) == more


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited for a minute"
        time.sleep(0.05)


def test_a_checkout_that_cannot_be_written(tmp_path: Path, cache: Path) -> None:
    """The user's work tree may be read-only, because nothing is written there."""
    work = create(tmp_path / "work", **{"requirements.txt": "iniconfig==2.0.0\n"})
    write(work, **{"a.py": "two\n"})
    for folder, _, _ in os.walk(work):
        os.chmod(folder, 0o555)
    try:
        before = fingerprint(work)
        place = built(work, ".", cache)[0]
        assert (place / "a.py").read_text() == "two\n"
        assert fingerprint(work) == before
    finally:
        for folder, _, _ in os.walk(work):
            os.chmod(folder, 0o755)
        shutil.rmtree(work)
