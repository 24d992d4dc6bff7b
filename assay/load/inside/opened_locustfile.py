"""A locustfile, opened the way the `locust` command opens it."""

import argparse
import contextlib
import inspect
import io
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gevent
import locust
import locust.argument_parser
from locust.env import Environment
from locust.runners import (
    STATE_STOPPED,
    STATE_STOPPING,
    MasterRunner,
    Runner,
    WorkerRunner,
)
from locust.shape import LoadTestShape
from locust.stats import setup_distributed_stats_event_listeners
from locust.user.users import User
from locust.util.directory import get_abspaths_in
from locust.util.load_locustfile import load_locustfile, load_locustfile_pytest

from assay.load.inside.runner import LiveStats, SteeredRunner
from assay.load.protocol import SEPARATOR
from assay.system import redaction

ASSAYS = "Assay says how much load there is, where it goes, and what is reported"
# What of Locust's own options has a say here.
HEEDED = frozenset({"tags", "exclude_tags", "config", "user_classes"})


class Refused(ValueError):  # noqa: N818 (its message is the whole of it)
    """The locustfile, or an argument for it, cannot be used as it is.

    Attributes:
        hint: What to do about it.
    """

    def __init__(self, what: str, hint: str) -> None:
        """Say what is wrong."""
        super().__init__(what)
        self.hint = hint


@dataclass(frozen=True)
class Opened:
    """What is in a locustfile, or in several.

    Attributes:
        environment: Locust's, with its events.
        runner: Locust's, of whatever kind.
        classes: The user classes that take part.
        shape: What decides how many users there are, where nobody else says.
    """

    environment: Environment
    runner: Runner
    classes: list[type[User]]
    shape: LoadTestShape | None


def alone(environment: Environment) -> Runner:
    """Return a runner for a process that has no master and no workers."""
    runner = environment._create_runner(SteeredRunner)
    runner.greenlet.kill(block=False)  # all it does is to look at the CPU
    return runner


def opened(
    path: str,
    arguments: Sequence[str],
    settings: Mapping[str, Any] | None = None,
    runner_of: Callable[[Environment], Runner] = alone,
) -> Opened:
    """Import a locustfile and fire `init`.

    Args:
        path: Of the locustfile; of several, or a folder of them, as `locust -f` has it.
        arguments: As after `locust -f FILE`: `--tags`, user classes by name, or the
            file's own.
        settings: What listeners and users find among the options, besides: `host`,
            empty if the file says so itself, `num_users`, `spawn_rate`, `run_time`.
        runner_of: Makes the runner that listeners find.

    Raises:
        ValueError: There is nothing in it that can be run, an argument is wrong or
            has no effect, or a listener fails.
    """
    paths = _paths(path)
    found, shapes = _loaded(paths)
    if not found:
        raise ValueError("it has no User class and no test function")
    options = _options(arguments, settings or {})
    classes = _chosen(found, options.user_classes)
    environment = Environment(
        user_classes=classes,
        shape_class=shapes[0] if shapes else None,
        events=locust.events,
        locustfile=os.path.basename(paths[0]),
        host=options.host,
        parsed_options=options,
    )
    environment.parsed_locustfiles = paths
    events: Any = environment.events
    requests, errors = list(events.request._handlers), list(events.user_error._handlers)
    runner = runner_of(environment)
    # Locust would count at every request, which costs 8 µs: see LiveStats.
    events.request._handlers = requests
    if not isinstance(runner, SteeredRunner):
        # A worker would tell its master of all that a task raises, each by itself.
        events.user_error._handlers = errors
    if not isinstance(runner, MasterRunner):  # whose workers tell it
        environment.stats = LiveStats(environment.stats.use_response_times_cache)
    if isinstance(runner, WorkerRunner):
        setup_distributed_stats_event_listeners(events, environment.stats)
    _fire("init", environment, runner=runner, web_ui=None)
    return Opened(environment, runner, classes, shapes[0] if shapes else None)


def begin(
    found: Opened,
    arguments: Sequence[str] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> None:
    """Choose the tasks and fire `test_start`.

    Args:
        found: The locustfile.
        arguments: What a master says; None leaves those that it was opened with.
        settings: What a master says, too.

    Raises:
        ValueError: A class has no task, an argument is wrong, or a listener fails.
    """
    prepare(found, arguments, settings)
    start(found)


def prepare(
    found: Opened,
    arguments: Sequence[str] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> None:
    """Choose the tasks; see `begin`.

    Raises:
        ValueError: A class has no task, or an argument is wrong.
    """
    environment: Any = found.environment
    users = (settings or vars(environment.parsed_options)).get("num_users")
    found.runner.target_user_count = int(users or 0)
    if arguments is not None:
        options = _options(arguments, settings or {})
        vars(environment.parsed_options).update(vars(options))
        environment.host = options.host
    options = environment.parsed_options
    environment._filter_tasks_by_tags()
    for cls in found.classes:
        if not (cls.tasks or getattr(cls, "functions", None)):
            chosen = " with these tags" if options.tags or options.exclude_tags else ""
            raise ValueError(
                f"{cls.__name__} has no task{chosen}; decorate one with @task"
            )


def start(found: Opened) -> None:
    """Fire `test_start`.

    Raises:
        ValueError: A listener fails.
    """
    _fire("test_start", found.environment)


def stopping(found: Opened) -> None:
    """Fire `test_stopping`, which comes before users are stopped; once."""
    runner: Any = found.runner
    if runner.state not in (STATE_STOPPING, STATE_STOPPED):
        runner.update_state(STATE_STOPPING)
        found.environment.events.test_stopping.fire(environment=found.environment)


def stopped(found: Opened) -> None:
    """Fire `test_stop`, which comes after users were stopped; once."""
    stopping(found)
    runner: Any = found.runner
    if runner.state != STATE_STOPPED:
        runner.update_state(STATE_STOPPED)
        found.environment.events.test_stop.fire(environment=found.environment)


def end(found: Opened) -> int | None:
    """Fire the events of a test's end; return the exit code that a listener set."""
    environment = found.environment
    stopped(found)
    environment.events.quitting.fire(environment=environment, reverse=True)
    code = environment.process_exit_code
    environment.events.quit.fire(exit_code=code or 0)
    gevent.sleep(0)
    return None if code is None else int(code)


def _paths(path: str) -> list[str]:
    """Return the files that are meant.

    Raises:
        Refused: A folder holds none.
    """
    paths: list[str] = []
    for one in path.split(SEPARATOR):
        if not os.path.isdir(one):
            paths.append(one)
            continue
        inside = sorted(get_abspaths_in(one, extension=".py"))
        if not inside:
            raise Refused(
                f"the folder {one} holds no .py file",
                "name a locustfile, or its folder",
            )
        paths += inside
    return paths


def _loaded(
    paths: Sequence[str],
) -> tuple[dict[str, type[User]], list[LoadTestShape]]:
    """Return the user classes and shapes of some files.

    Those in pytest's style are looked for where there are no others, as Locust does.

    Raises:
        Refused: Two classes have one name.
    """
    found: dict[str, type[User]] = {}
    shapes: list[LoadTestShape] = []
    for path in paths:
        classes, own = load_locustfile(path)[:2]
        _add(found, classes)
        shapes += own
    if not found:
        for path in paths:
            _add(found, load_locustfile_pytest(path))
    return found, shapes


def _add(found: dict[str, type[User]], classes: Mapping[str, type[User]]) -> None:
    for name, cls in classes.items():
        before = found.setdefault(name, cls)
        if before is not cls and inspect.getfile(before) != inspect.getfile(cls):
            raise Refused(
                f"{name} is a user class of {inspect.getfile(before)} and of "
                f"{inspect.getfile(cls)}",
                "rename one of them: rows and weights go by the name",
            )


def _chosen(
    found: Mapping[str, type[User]], names: Sequence[str] | None
) -> list[type[User]]:
    """Return the classes that take part: those that were named, or all.

    Raises:
        Refused: There is no such class, or none is left.
    """
    unknown = [name for name in names or () if name not in found]
    if unknown:
        raise Refused(
            f"no user class {', '.join(unknown)}",
            f"it has {', '.join(found)}",
        )
    classes = [
        cls
        for name, cls in found.items()
        if (name in names if names else cls.weight > 0 or cls.fixed_count > 0)
    ]
    if not classes:
        raise Refused("every user class has the weight 0", "give one a weight")
    return classes


def _fire(event: str, environment: Environment, **more: Any) -> None:
    """Tell the listeners of an event, as Locust does, but let nothing pass.

    Locust logs what a listener raises and goes on: with a test whose preparation
    has failed, and which nobody would know of.

    Raises:
        Refused: One of them raised something.
    """
    for listener in list(getattr(environment.events, event)._handlers):
        name = getattr(listener, "__qualname__", repr(listener))
        try:
            listener(environment=environment, **more)
        except Exception as error:
            raise Refused(
                f"its {event} listener {name} raised {type(error).__name__}: {error}",
                "what it prepares would be missing: mend it, or take it out",
            ) from error


def _options(
    arguments: Sequence[str], settings: Mapping[str, Any]
) -> argparse.Namespace:
    """Return the options that listeners and users find.

    Raises:
        Refused: An argument is wrong, or is one of Locust's that has no effect here.
    """
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            parser = locust.argument_parser.get_parser()
            found: argparse.Namespace = parser.parse_args(args=list(arguments))
    except SystemExit as error:
        last = said.getvalue().strip().splitlines()[-1:] or ["they are wrong"]
        words = shlex.join(redaction.arguments(arguments))
        raise Refused(
            f"its arguments ({words}): {redaction.command(last[0])}",
            "after -- come --tags, --exclude-tags, names of user classes and options "
            "of the locustfile's own",
        ) from error
    if idle := _idle(found):
        raise Refused(
            f"its arguments: {', '.join(idle)} would have no effect: {ASSAYS}",
            "leave them out; those of assay load come before --: see its --help",
        )
    host = settings.get("host") or found.host
    vars(found).update({**settings, "host": host, "headless": True})
    return found


def _idle(found: argparse.Namespace) -> list[str]:
    """Return Locust's own options that were given and have no say here."""
    parser = locust.argument_parser.get_empty_argument_parser()
    locust.argument_parser.setup_parser_arguments(parser)
    default, _ = parser.parse_known_args(args=[])  # and what locust.conf has for all
    given = {
        action.dest: action
        for action in parser._actions
        if action.dest in default
        and action.dest not in HEEDED
        and getattr(found, action.dest) != getattr(default, action.dest)
    }
    return [
        action.option_strings[-1] if action.option_strings else "user classes"
        for action in given.values()
    ]
