import sys
from pathlib import Path

import pytest

from assay.errors import InputError
from assay.first_topic import apps, servers
from assay.first_topic.target import Asked, started


def project(tmp_path: Path, **files: str) -> Path:
    """Write files; `__` in a name is a folder."""
    for name, content in files.items():
        path = tmp_path / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return tmp_path


def found(folder: Path) -> list[tuple[str, str, bool]]:
    return [(app.spec, app.framework, app.factory) for app in apps.find(folder)]


FASTAPI = "from fastapi import FastAPI\napp = FastAPI()\n"
FACTORY = "from flask import Flask\ndef create_app(x=1):\n    return Flask('a')\n"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"shop__main": FASTAPI}, [("shop.main:app", "FastAPI", False)]),
        (
            {"main": "import fastapi as f\napi: f.FastAPI = f.FastAPI(title='x')\n"},
            [("main:api", "FastAPI", False)],
        ),
        (
            {"main": "from litestar import Litestar as L\napp = L([])\n"},
            [("main:app", "Litestar", False)],
        ),
        ({"web": FACTORY}, [("web:create_app", "Flask", True)]),
        (
            {
                "web": FACTORY,
                "wsgi": "from web import create_app\ntry:\n    app = create_app()\n"
                "except OSError: pass\n",
            },
            [("wsgi:app", "Flask", False)],
        ),
        (
            {
                "site__wsgi": "from django.core.wsgi import get_wsgi_application as g\n"
                "application = g()\n",
                "site__asgi": "import django.core.asgi as a\n"
                "application = a.get_asgi_application()\n",
            },
            [("site.wsgi:application", "Django", False)],
        ),
        ({"main": "if __name__ == '__main__':\n    app = Flask('x')\n"}, []),
        ({"main": "def f():\n    app = FastAPI()\n"}, []),
        ({"main": "def make_app(needed):\n    return FastAPI()\n"}, []),
        ({"tests__main": FASTAPI, "test_x": FASTAPI, ".tox__a": FASTAPI}, []),
        ({"main": "app = FastAPI(\n"}, []),
        (
            {"main": "raise SystemExit('imported')\n" + FASTAPI},
            [("main:app", "FastAPI", False)],
        ),
    ],
)
def test_apps_are_found_without_importing_them(
    tmp_path: Path, files: dict[str, str], expected: list[tuple[str, str, bool]]
) -> None:
    assert found(project(tmp_path, **files)) == expected


def test_a_src_layout_is_imported_from_src(tmp_path: Path) -> None:
    folder = project(tmp_path, src__shop__main=FASTAPI)
    (folder / "src" / "shop" / "__init__.py").touch()
    (app,) = apps.find(folder)
    assert (app.spec, app.root) == ("shop.main:app", folder / "src")
    served = servers.serve(app, folder)
    assert served.env == {"PYTHONPATH": "src"}


def test_bare_imports_of_neighbours_say_where_a_file_is_at_home(tmp_path: Path) -> None:
    folder = project(
        tmp_path, backend__main="import models\n" + FASTAPI, backend__models=""
    )
    (app,) = apps.find(folder)
    assert (app.spec, app.root) == ("main:app", folder / "backend")


@pytest.mark.parametrize(
    "spec", ["a.main:app", "a/main.py:app", "./a/main.py", "a.main"]
)
def test_an_app_is_named_in_several_ways(tmp_path: Path, spec: str) -> None:
    folder = project(tmp_path, a__main=FASTAPI, b__main=FASTAPI)
    start = started(Asked(app=spec), folder)
    target, sentence = start.target, start.sentence
    assert "uvicorn a.main:app --port {port}" in target.command
    assert "a.main:app (FastAPI), served by uvicorn of" in sentence


def test_several_apps_are_listed(tmp_path: Path) -> None:
    folder = project(tmp_path, a__main=FASTAPI, b=FASTAPI)
    with pytest.raises(InputError) as refused:
        started(Asked(), folder)
    lines = str(refused.value).splitlines()[1:]
    assert [line.split()[2] for line in lines] == ["b:app", "a.main:app"]


def test_no_app_says_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="assay init --command"):
        started(Asked(), tmp_path)


def fake_python(folder: Path, *installed: str) -> Path:
    """Make a virtual environment in which only some servers are importable."""
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    listed = ", ".join(f'\\"{name}\\"' for name in installed)
    python.write_text(f'#!/bin/sh\necho "[{listed}]"\n')
    python.chmod(0o755)
    return python


@pytest.mark.parametrize(
    ("source", "installed", "command"),
    [
        (FASTAPI, "hypercorn", "-m hypercorn main:app --bind 127.0.0.1:{port}"),
        (
            FASTAPI,
            "granian",
            "-m granian main:app --interface asgi --port {port}",
        ),
        (
            FACTORY,
            "gunicorn",
            "-m gunicorn 'main:create_app()' --bind 127.0.0.1:{port}",
        ),
        (
            FACTORY,
            "waitress",
            "-m waitress --listen=127.0.0.1:{port} --call main:create_app",
        ),
        (FACTORY, "flask", "-m flask --app main:create_app run --port {port}"),
    ],
)
def test_the_server_is_one_that_the_project_has(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    installed: str,
    command: str,
) -> None:
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    folder = project(tmp_path, main=source)
    fake_python(folder, installed)
    start = started(Asked(), folder)
    target, sentence = start.target, start.sentence
    # A checkout of another commit has no .venv, so the command must not name it.
    assert target.command == f"python {command}"
    assert f"{installed} of the project's .venv" in sentence
    assert servers.typed(target.command, folder) == f".venv/bin/python {command}"


def test_without_a_server_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    folder = project(tmp_path, main=FASTAPI)
    python = fake_python(folder)
    with pytest.raises(InputError, match=f"{python} -m pip install uvicorn"):
        started(Asked(), folder)


def test_an_active_environment_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_python(tmp_path)
    monkeypatch.setenv("VIRTUAL_ENV", sys.prefix)
    assert servers.interpreter(tmp_path).word == "python"


def test_an_active_conda_environment_is_used_as_in_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_python(tmp_path)
    conda = fake_python(tmp_path / "conda")
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    monkeypatch.setenv("CONDA_PREFIX", str(conda.parents[1]))
    monkeypatch.setenv("CONDA_DEFAULT_ENV", "shop")
    found = servers.interpreter(tmp_path)
    assert (found.path, found.word) == (conda, "python")
    assert found.origin == "the active conda environment"
    monkeypatch.setenv("CONDA_DEFAULT_ENV", "base")
    assert servers.interpreter(tmp_path).word == ".venv/bin/python"


def test_only_python_is_typed_differently(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_python(tmp_path)
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    assert servers.typed("uvicorn a:b --port {port}", tmp_path).startswith("uvicorn ")
    monkeypatch.setenv("VIRTUAL_ENV", sys.prefix)
    assert servers.typed("python serve.py", tmp_path) == "python serve.py"
