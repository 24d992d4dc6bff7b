"""Check what the user typed about the service, and turn it into a target."""

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import ValidationError

from assay.errors import InputError
from assay.first_topic import apps
from assay.first_topic.claims import FirstTarget
from assay.first_topic.servers import Served, serve
from assay.inputs.schema import TargetTable
from assay.system import redaction
from assay.wording import counted, one_line

WAYS = (
    "  assay init shop.main:app                              an app, in its module\n"
    "  assay init --command 'python serve.py --port {port}'  any command\n"
    "  assay init --url http://127.0.0.1:8000                a service that runs"
)
MOST_LISTED = 20  # a message lists at most this many apps


@dataclass(frozen=True)
class Asked:
    """What the user typed.

    Attributes:
        app: The app, as ``module:name``; empty to look for one.
        command: The command that starts the service; empty for an app or a URL.
        url: The URL of a service that already runs; empty for an app or a command.
        openapi: The file of the OpenAPI document, or its path in the service; empty to
            look for it.
        har: The HAR file from which the locustfile is made; None to make it from the
            OpenAPI document.
        ready: The path that answers 2xx; empty to look for one.
        env: Environment variables, each as ``NAME=VALUE``.
        needs: Names of the services that the target needs.
        prepare: A command that is run before the service is started; empty for none.
        with_writes: Whether requests that change data are switched on, except DELETE.
        with_delete: Whether DELETE requests are switched on.
        output: The folder into which the topic is written.
        force: Whether existing files are overwritten.
    """

    app: str = ""
    command: str = ""
    url: str = ""
    openapi: str = ""
    har: Path | None = None
    ready: str = ""
    env: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    prepare: str = ""
    with_writes: bool = False
    with_delete: bool = False
    output: Path = field(default_factory=lambda: Path("perf"))
    force: bool = False


@dataclass(frozen=True)
class Start:
    """How a service is started.

    Attributes:
        target: How it is started, as values for claims.toml.
        sentence: How it is started, in words for the user.
        app: The app that is served; None for a command or a URL.
        served: How the app is served; None for a command or a URL.
    """

    target: FirstTarget
    sentence: str
    app: apps.App | None = None
    served: Served | None = None


def started(asked: Asked, here: Path) -> Start:
    """Return how the service is started.

    Raises:
        InputError: An option is wrong or contradicts another one, no app or several
            apps were found, or no server for the app is installed.
    """
    given = [name for name in ("app", "command", "url") if getattr(asked, name)]
    if len(given) > 1:
        raise InputError(f"name the service in one way only:\n{WAYS}")
    if asked.har and asked.openapi:
        raise InputError("give either --openapi or --from-har")
    variables = _variables(asked.env)
    command, sentence = asked.command, "started with your command"
    app: apps.App | None = None
    served: Served | None = None
    if asked.url:
        _check_url(asked, variables)
        sentence = f"the service at {redaction.text(asked.url)}"
    elif not command:
        app = _app(asked.app, here)
        served = serve(app, here)
        command = served.command
        variables = {**served.env, **variables}
        sentence = (
            f"{app.spec} ({app.framework}), served by {served.server} of "
            f"{served.interpreter.origin}"
        )
    target = FirstTarget(
        command=command,
        url=asked.url,
        cwd=os.path.relpath(here, here / asked.output),
        ready=asked.ready or "/",
        env=variables,
        needs=asked.needs,
        prepare=asked.prepare,
    )
    _check(target)
    return Start(target, sentence, app, served)


def _app(spec: str, here: Path) -> apps.App:
    """Return the app that the user named, or the only one there is.

    Raises:
        InputError: The named app was not found. Or the user named no app, and the
            project has none or several.
    """
    project_apps = apps.find(here)
    if spec:
        if spec.endswith(".py") or ".py:" in spec or "/" in spec:
            module, _, name = spec.partition(":")
            spec = f"{module.removesuffix('.py').strip('./').replace('/', '.')}:{name}"
        app = apps.named(spec.removesuffix(":"), here, project_apps)
        if app:
            return app
        raise InputError(
            f"{one_line(spec)}: no app of that name was found in {here}, or it does "
            f"not show whether it is ASGI or WSGI{_listed(project_apps)}\n"
            "  or say how the app is started: assay init --command 'python -m uvicorn "
            "shop.main:app --port {port}'"
        )
    if len(project_apps) == 1:
        return project_apps[0]
    if project_apps:
        raise InputError(
            f"{len(project_apps)} apps were found in {here}{_listed(project_apps)}"
        )
    raise InputError(
        f"no app was found in {here}: expected a call of "
        f"{', '.join(apps.CLASSES)}, or a wsgi.py of Django; type one of:\n{WAYS}"
    )


def _listed(project_apps: Sequence[apps.App]) -> str:
    # The user seldom means an app in a deep folder, so those come last.
    nearest = sorted(project_apps, key=lambda app: (app.spec.count("."), app.spec))
    shown = [f"assay init {app.spec}" for app in nearest[:MOST_LISTED]]
    width = max(map(len, shown), default=0)
    lines = [
        f"\n  {words.ljust(width)}  {app.framework}"
        for words, app in zip(shown, nearest, strict=False)
    ]
    more = len(project_apps) - len(lines)
    lines += [f"\n  and {counted(more, 'other')}"] if more else []
    return "; type one of:" + "".join(lines) if lines else ""


def _variables(pairs: Sequence[str]) -> dict[str, str]:
    variables = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise InputError(f"--env: expected NAME=VALUE, got {pair!r}")
        if redaction.SECRET_NAME.search(name) or redaction.text(value) != value:
            raise InputError(
                f"--env: {name} looks like a secret, and claims.toml is no place for "
                f"one; type: export {name}=… (the service inherits it)"
            )
        variables[name] = value
    return variables


def _check_url(asked: Asked, variables: dict[str, str]) -> None:
    """Check that a URL is on this machine, since requests may change data there.

    Raises:
        InputError: The URL is not on this machine, or the user typed an option that
            only a service started by Assay can have.
    """
    parts = urlsplit(asked.url)
    host = parts.hostname or ""
    try:
        is_local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_local = False
    if not is_local or parts.scheme not in ("http", "https") or parts.username:
        raise InputError(
            "--url: expected a service on this machine, such as "
            f"http://127.0.0.1:8000, got {redaction.text(asked.url)!r}"
        )
    if variables or asked.needs or asked.prepare:
        raise InputError(
            "--env, --needs and --prepare are for a service that Assay starts; leave "
            "them out, or give --command instead of --url"
        )


def _check(target: FirstTarget) -> None:
    """Check the target as a run will check it, except for its services and `cwd`.

    Raises:
        InputError: A value is wrong.
    """
    try:
        TargetTable.model_validate(
            {
                "command": target.command or None,
                "url": target.url or None,
                "env": target.env,
                "ready": target.ready,
                "prepare": target.prepare or None,
            }
        )
    except ValidationError as error:
        raise InputError(
            "\n".join(
                f"--{problem['loc'][0]}: {problem['msg'][:1].lower()}"
                f"{problem['msg'][1:]}, got {problem['input']!r}"
                for problem in error.errors()
            )
        ) from error
