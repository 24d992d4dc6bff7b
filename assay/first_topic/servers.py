"""Choose the command that serves an app, from the servers that are installed."""

import json
import os
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from assay.errors import InputError
from assay.first_topic.apps import App, Interface
from assay.system import project_environment
from assay.wording import one_line

# In order of preference.
SERVERS: dict[Interface, tuple[str, ...]] = {
    "asgi": ("uvicorn", "hypercorn", "granian"),
    "wsgi": ("gunicorn", "waitress", "flask"),
}
_ASK = (
    "import importlib.util, json, sys\n"
    "print(json.dumps([n for n in sys.argv[1:] if importlib.util.find_spec(n)]))"
)
ASK_SECONDS = 60.0


@dataclass(frozen=True)
class Interpreter:
    """A Python interpreter.

    Attributes:
        path: The path of its program.
        word: The word that a user types in the project's folder to start it.
        origin: Where it comes from, in words for a message.
    """

    path: Path
    word: str
    origin: str


@dataclass(frozen=True)
class Served:
    """A command that serves an app, and what it uses.

    Attributes:
        command: A command line with ``{port}``.
        server: The name of the server.
        interpreter: The interpreter that runs the server.
        env: Environment variables that the command needs.
    """

    command: str
    server: str
    interpreter: Interpreter
    env: Mapping[str, str] = field(default_factory=dict)


def interpreter(folder: Path) -> Interpreter:
    """Return the interpreter that serves a project.

    Runs use the same interpreter: see `project_environment.interpreter`.
    """
    path = project_environment.interpreter(os.environ, folder)
    if active := project_environment.active(os.environ):
        if path == Path(active, "bin", "python"):
            kind = "virtual" if os.environ.get(project_environment.ACTIVE) else "conda"
            return Interpreter(path, "python", f"the active {kind} environment")
    elif own := project_environment.own(folder):
        word = os.path.relpath(own / "bin" / "python", folder)
        return Interpreter(path, word, f"the project's {own.name}")
    return Interpreter(path, "python", "the Python that runs Assay")


def typed(command: str, folder: Path) -> str:
    """Return a command as the user types it in a project's folder.

    In claims.toml `python` means the interpreter of the project or of a commit. In a
    shell without an active environment, `python` may be another interpreter.
    """
    first, space, rest = command.partition(" ")
    return f"{interpreter(folder).word}{space}{rest}" if first == "python" else command


def serve(app: App, folder: Path) -> Served:
    """Return the command that serves an app.

    A Django site without an installed server gets the command `manage.py runserver`.

    Raises:
        InputError: No server for the app is installed, or the interpreter does not run.
    """
    python = interpreter(folder)
    wanted = SERVERS[app.interface]
    installed = _importable(python, wanted, folder)
    env = {}
    if app.root != folder:
        env["PYTHONPATH"] = app.root.relative_to(folder).as_posix()
    for server in wanted:
        # Flask's own server serves only Flask apps.
        if server in installed and (server != "flask" or "Flask" in app.framework):
            words = ["python", "-m", *_arguments(server, app)]
            return Served(_line(words), server, python, env)
    manage = app.root / "manage.py"
    if app.framework == "Django" and manage.is_file():
        path = manage.relative_to(folder).as_posix()
        words = ["python", path, "runserver", "--noreload", "127.0.0.1:{port}"]
        return Served(_line(words), "manage.py runserver", python)
    raise InputError(
        f"{app.spec} is an app of {app.framework}, and none of its servers "
        f"({', '.join(wanted)}) is installed in {python.path} ({python.origin}); "
        f"type: {shlex.quote(str(python.path))} -m pip install {wanted[0]}\n"
        "  or say how the app is started: assay init --command 'python serve.py {port}'"
    )


def _arguments(server: str, app: App) -> list[str]:
    made = f"{app.spec}()" if app.factory else app.spec
    factory = ["--factory"] if app.factory else []
    if server == "uvicorn":
        return ["uvicorn", app.spec, *factory, "--port", "{port}", "--no-access-log"]
    if server == "hypercorn":
        return ["hypercorn", made, "--bind", "127.0.0.1:{port}"]
    if server == "granian":
        options = ["--interface", "asgi", "--port", "{port}"]
        return ["granian", app.spec, *factory, *options]
    if server == "gunicorn":
        return ["gunicorn", made, "--bind", "127.0.0.1:{port}"]
    if server == "waitress":
        call = ["--call"] if app.factory else []
        return ["waitress", "--listen=127.0.0.1:{port}", *call, app.spec]
    return ["flask", "--app", app.spec, "run", "--port", "{port}"]


def _line(words: Sequence[str]) -> str:
    """Return a command line; words with `{port}` are not quoted."""
    return " ".join(word if "{port}" in word else shlex.quote(word) for word in words)


def _importable(python: Interpreter, names: Sequence[str], folder: Path) -> set[str]:
    """Return the names of the modules that an interpreter finds; none is imported.

    Raises:
        InputError: The interpreter does not run.
    """
    try:
        done = subprocess.run(
            [str(python.path), "-c", _ASK, *names],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=ASK_SECONDS,
            check=True,
        )
        return set(json.loads(done.stdout.splitlines()[-1]))
    except (OSError, subprocess.SubprocessError, ValueError, IndexError) as error:
        raise InputError(
            f"{python.path} ({python.origin}) does not run: "
            f"{one_line(str(error))[:200]}; say how the service is started: "
            "assay init --command 'python serve.py {port}'"
        ) from error
