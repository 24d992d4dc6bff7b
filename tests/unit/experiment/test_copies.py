"""Copies of a target's folder: what they contain, and that each launch resets them."""

import os
import random
import shutil
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.errors import InputError, MeasureError
from assay.experiment import commands, copies, rounds, target
from assay.experiment.commands import command_environment
from assay.experiment.imported import imported_files
from assay.plan import AA_SUFFIX, Target, Topic, Variant
from assay.probe.environment import PACKAGES, PROJECT
from assay.probe.places import Project
from tests.unit.synthetic import plan


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a project's folder, with an environment, git, links and caches."""
    folder = tmp_path / "beside" / "shop"
    files = {
        "app.py": "VALUE = 1\n",
        "data/items.json": "[]",
        "__pycache__/app.cpython-312.pyc": "bytecode",
        ".git/HEAD": "ref: refs/heads/main\n",
        "node_modules/left-pad/index.js": "",
        ".mypy_cache/CACHEDIR.TAG": "",
        "reports/monday/plan.json": "{}",
        "reports/monday/environment.json": "{}",
        "reports/__init__.py": "",
        ".venv/pyvenv.cfg": "home = /usr/bin\n",
        ".venv/bin/serve": "#!/bin/sh\n",
        "../shared/prices.json": "{}",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def topic_of(folder: Path, *variants: Variant, **changes: object) -> Topic:
    """Return a topic whose variants run in copies of a folder."""
    keys = {"cwd": folder, "command": "true", "copied": True, **changes}
    update = {
        "target": Target.model_validate(keys),
        "variants": variants or (Variant(name="a"), Variant(name="b")),
    }
    return plan().topics[0].model_copy(update=update)


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """Return a folder for temporary files."""
    (tmp_path / "temporary").mkdir()
    return tmp_path / "temporary"


def copied(topic: Topic, temporary: Path, name: str = "a") -> Path:
    """Return the copy that a variant runs in, before its first launch."""
    if not temporary.joinpath("prepared").exists():
        copies.prepared(topic, temporary)
    variant = copies.with_copies(topic, temporary).variant(name)
    cwd = copies.restored(variant, temporary).cwd
    assert cwd is not None
    return cwd


def tree(folder: Path) -> dict[str, object]:
    """Return every path below a folder with what is there, apart from bytecode."""
    found: dict[str, object] = {}
    for top, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if name != copies.BYTECODE]
        for name in (*folders, *files):
            path = Path(top) / name
            if path.is_symlink():
                found[str(path.relative_to(folder))] = os.readlink(path)
            else:
                content = path.read_bytes() if path.is_file() else None
                found[str(path.relative_to(folder))] = content
    return found


def test_a_copy_has_what_the_command_needs(project: Path, temporary: Path) -> None:
    copy = copied(topic_of(project), temporary)
    assert copy.name == "shop" and copy.is_relative_to(temporary)
    assert (copy / "app.py").read_text() == "VALUE = 1\n"
    assert (copy / "app.py").stat().st_mtime_ns == (
        project / "app.py"
    ).stat().st_mtime_ns
    assert (copy / "data/items.json").is_file()
    assert (copy / "reports/__init__.py").is_file()
    assert not (copy / "reports/monday").exists()
    assert not (copy / "__pycache__").exists()
    for name in (".venv", ".git", "node_modules", ".mypy_cache"):
        assert (copy / name).readlink() == project / name
    assert (copy / ".venv/bin/serve").is_file()
    assert (copy / "../shared/prices.json").resolve().is_file()


def test_an_interpreter_in_the_folder_is_that_of_its_environment(
    project: Path, temporary: Path
) -> None:
    shutil.rmtree(project / ".venv")
    venv.create(project / ".venv", with_pip=False, symlinks=True)
    code = "import app, os, sys; print(sys.prefix, os.path.realpath(app.__file__))"
    command = f".venv/bin/python -c '{code}; sys.exit(3)'"
    topic = topic_of(project, command=command)
    topic = copies.with_copies(topic, temporary)
    copies.prepared(topic_of(project), temporary)
    with pytest.raises(MeasureError, match="exit code 3") as caught:
        with target.launched(
            topic, topic.variants, {}, temporary, (), random.Random(1)
        ):
            raise AssertionError("it is not ready")
    # Paths of the copy are shown as those of the project.
    assert f"{project}/.venv {project}/app.py" in str(caught.value)


def test_links_lead_into_the_copy_or_where_they_did(
    project: Path, temporary: Path
) -> None:
    (project / "inside").symlink_to("data/items.json")
    (project / "whole").symlink_to(project / "data/items.json")
    (project / "outside").symlink_to("../shared")
    (project / "nowhere").symlink_to("no/such/file")
    (project / "round").symlink_to("round")
    copy = copied(topic_of(project), temporary)
    for name in ("inside", "whole"):
        assert (copy / name).resolve() == copy / "data/items.json"
    assert (copy / "outside").resolve() == project.parent / "shared"
    assert (copy / "nowhere").is_symlink() and (copy / "round").is_symlink()
    # Another variant's copy is the same, although it is a copy of a copy.
    assert tree(copy) == tree(copied(topic_of(project), temporary, "b"))


def test_what_a_launch_leaves_is_gone_in_the_next(
    project: Path, temporary: Path
) -> None:
    topic = topic_of(project)
    copy = copied(topic, temporary)
    before = tree(copy)
    (copy / "shop.db").write_text("items")
    (copy / "data/items.json").write_text("[1]")
    (copy / "app.py").unlink()
    (copy / "uploads/new").mkdir(parents=True)
    (copy / ".venv").unlink()
    (copy / ".venv").mkdir()
    bytecode = copy / "data/__pycache__"
    bytecode.mkdir()
    (bytecode / "items.pyc").write_text("compiled")
    variant = copies.with_copies(topic, temporary).variant("a")
    assert copies.restored(variant, temporary).cwd == copy
    assert tree(copy) == before
    assert (bytecode / "items.pyc").is_file()
    assert not (project / "shop.db").exists()


NAMES = st.sampled_from(["app.py", "data", "data/items.json", "new", "data/new"])
ACTIONS = st.tuples(st.sampled_from(["write", "folder", "remove", "link"]), NAMES)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions=st.lists(ACTIONS, max_size=8))
def test_whatever_a_launch_does_is_undone(
    project: Path, temporary: Path, actions: list[tuple[str, str]]
) -> None:
    shutil.rmtree(temporary)
    topic = topic_of(project)
    copy = copied(topic, temporary)
    before = tree(copy)
    for action, name in actions:
        act(action, copy / name)
    copies.restored(copies.with_copies(topic, temporary).variant("a"), temporary)
    assert tree(copy) == before


def act(action: str, path: Path) -> None:
    """Do to a path what a process might, whatever is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    elif os.path.lexists(path):
        path.unlink()
    if action == "remove" or not path.parent.is_dir():
        return
    actions: dict[str, Callable[[], object]] = {
        "write": lambda: path.write_text("changed"),
        "folder": lambda: (path / "inner").mkdir(parents=True),
        "link": lambda: path.symlink_to(".."),
    }
    actions[action]()


def test_each_variant_and_the_control_has_its_own(
    project: Path, temporary: Path
) -> None:
    topic = topic_of(project)
    copies.prepared(topic, temporary)
    topic = copies.with_copies(topic, temporary)
    control = topic.variant("a").model_copy(update={"name": f"a{AA_SUFFIX}"})
    started = [copies.restored(one, temporary) for one in (*topic.variants, control)]
    assert len({one.cwd for one in started}) == 3
    assert {one.original for one in started} == {project}


def test_every_launch_begins_with_what_was_prepared(
    project: Path, temporary: Path
) -> None:
    write = "open('shop.db', 'x').write('items')"
    topic = topic_of(project, prepare=f'{sys.executable} -c "{write}"')
    commands.prepare(copies.prepared(topic, temporary), {}, temporary)
    topic = copies.with_copies(topic, temporary)
    for variant in topic.variants:
        cwd = copies.restored(variant, temporary).cwd
        assert cwd and (cwd / "shop.db").read_text() == "items"
    assert not (project / "shop.db").exists()


def test_two_commits_are_prepared_each_in_a_copy_of_its_own(
    project: Path, temporary: Path, tmp_path: Path
) -> None:
    other = tmp_path / "head" / "shop"
    shutil.copytree(project, other, symlinks=True)
    (other / "app.py").write_text("VALUE = 2\n")
    variants = Variant(name="base", cwd=project), Variant(name="head", cwd=other)
    copy = "import shutil; shutil.copy('app.py', 'made.py')"
    topic = topic_of(tmp_path, *variants, prepare=f'{sys.executable} -c "{copy}"')
    commands.prepare(copies.prepared(topic, temporary), {}, temporary)
    made = [
        (copies.restored(one, temporary).cwd or tmp_path) / "made.py"
        for one in copies.with_copies(topic, temporary).variants
    ]
    assert [file.read_text() for file in made] == ["VALUE = 1\n", "VALUE = 2\n"]


def test_files_in_a_copy_and_in_the_project_are_the_users_own(
    project: Path, temporary: Path
) -> None:
    topic = topic_of(project, Variant(name="a", packages=project / ".venv/lib"))
    copy = copied(topic, temporary)
    variant = copies.with_copies(topic, temporary).variant("a")
    probed = rounds.with_probe(topic, variant, temporary / "probe", {}, ["waits"])
    roots = probed.env[PROJECT].split(os.pathsep)
    assert roots == [str(copy), str(project)]
    assert probed.env[PACKAGES] == str(project / ".venv/lib")
    own = Project(roots)
    # An editable install leads to the project, wherever the command runs.
    for folder in (copy, project):
        assert own.relative(str(folder / "app.py")) == "app.py"
        assert own.relative(str(folder / ".venv/lib/site-packages/x.py")) == ""


SERVER = """\
import http.server, sys
import app

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(204)
        self.end_headers()

http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""


def test_the_proof_of_the_code_names_the_users_files(
    project: Path, temporary: Path
) -> None:
    (project / "server.py").write_text(SERVER)
    topic = topic_of(project)
    command = f"{sys.executable} server.py {{port}}"
    update = {"target": topic.target.model_copy(update={"command": command})}
    topic = topic.model_copy(update=update)
    copies.prepared(topic, temporary)
    topic = copies.with_copies(topic, temporary)
    files = imported_files(topic, {}, temporary)
    for name in ("a", "b"):
        assert str(project / "app.py") in files[name]
        assert not [file for file in files[name] if file.startswith(str(temporary))]


def test_without_the_key_nothing_is_copied(project: Path, temporary: Path) -> None:
    topic = topic_of(project)
    update = {"target": topic.target.model_copy(update={"copied": False})}
    topic = topic.model_copy(update=update)
    assert copies.prepared(topic, temporary) == topic
    assert copies.with_copies(topic, temporary) == topic
    assert copies.restored(topic.variant("a"), temporary) == topic.variant("a")
    assert not list(temporary.iterdir())


def test_a_server_that_runs_already_has_no_copy(project: Path, temporary: Path) -> None:
    topic = topic_of(project, Variant(name="a", url="http://127.0.0.1:1"))
    assert copies.prepared(topic, temporary) == topic
    assert copies.with_copies(topic, temporary) == topic


@pytest.mark.parametrize(
    ("limit", "said"),
    [("MAX_BYTES", "1 MB in 4 files (big.bin alone has 1 MB)"), ("MAX_FILES", "")],
)
def test_a_folder_that_is_too_large_is_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch, limit: str, said: str
) -> None:
    (project / "big.bin").write_bytes(bytes(1_000_000))
    (project / ".venv/big.bin").write_bytes(bytes(9_000_000))  # not copied
    topic = topic_of(project)
    copies.check_sizes([topic])
    monkeypatch.setattr(copies, limit, 3)
    with pytest.raises(InputError, match="too large to be copied") as caught:
        copies.check_sizes([topic])
    assert str(project) in str(caught.value) and str(topic.file) in str(caught.value)
    assert said in str(caught.value)
    assert 'Type cwd = "FOLDER" in [target]' in str(caught.value)


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    topic = topic_of(tmp_path / "nowhere")
    with pytest.raises(MeasureError, match=r"\[target\] copy: .*nowhere cannot be"):
        copies.check_sizes([topic])
    with pytest.raises(MeasureError, match=r"\[target\] copy: .*nowhere cannot be"):
        copies.prepared(topic, tmp_path)


def test_a_copy_does_not_hold_itself(project: Path) -> None:
    temporary = project / "tmp" / "topic"
    temporary.mkdir(parents=True)
    copy = copied(topic_of(project), temporary)
    assert (copy / "app.py").is_file() and not (copy / "tmp").exists()


def test_errors_of_prepare_name_the_users_folder(
    project: Path, temporary: Path
) -> None:
    with pytest.raises(MeasureError) as raised:
        with copies.preparing(topic_of(project), temporary) as prepared:
            raise MeasureError(f"{prepared.target.cwd / 'seed.py'}: no table")
    assert str(raised.value) == f"{project / 'seed.py'}: no table"


def test_copies_of_a_measured_topic_are_removed_with_what_is_write_protected(
    project: Path, temporary: Path
) -> None:
    copy = copied(topic_of(project), temporary)
    (copy / "locked" / "in").mkdir(parents=True)
    (copy / "locked" / "in" / "file").write_text("x")
    (copy / "locked").chmod(0o500)
    before = tree(project)
    copied(topic_of(project), temporary)
    assert not (copy / "locked").exists()
    copies.remove(temporary)
    assert not list(temporary.iterdir())
    assert tree(project) == before
    copies.remove(temporary)


def test_uv_installs_nothing_into_the_environment_that_a_copy_links(
    project: Path,
) -> None:
    words = command_environment(project, {}, is_copy=True)
    assert words["UV_NO_SYNC"] == "1"
    assert "UV_NO_SYNC" not in command_environment(project, {})
    mine = command_environment(project, {}, {"UV_NO_SYNC": "0"}, is_copy=True)
    assert mine["UV_NO_SYNC"] == "0"
