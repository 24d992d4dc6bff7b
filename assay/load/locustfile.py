"""A locustfile, opened the way the `locust` command opens it."""

import argparse
import contextlib
import io
import os
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gevent
import locust
import locust.argument_parser
from locust.env import Environment
from locust.runners import STATE_STOPPED, Runner
from locust.user.users import User
from locust.util.load_locustfile import load_locustfile

from assay import redaction

ASSAYS = "Assay says how much load there is, where it goes, and what is reported"
# What of Locust's own options has a say here.
HEEDED = frozenset({"tags", "exclude_tags", "config"})


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
    """What is in a locustfile.

    Attributes:
        environment: Locust's, with its events.
        runner: Locust's, of whatever kind.
        classes: The user classes that take part.
        warnings: What of the file has no effect here, in sentences.
    """

    environment: Environment
    runner: Runner
    classes: list[type[User]]
    warnings: list[str]


def alone(environment: Environment) -> Runner:
    """Return a runner for a process that has no master and no workers."""
    runner = environment.create_local_runner()
    runner.greenlet.kill(block=False)  # all it does is to look at the CPU
    return runner


def opened(
    path: str,
    arguments: Sequence[str],
    host: str = "",
    runner_of: Callable[[Environment], Runner] = alone,
) -> Opened:
    """Import a locustfile and fire `init`.

    Args:
        path: Of the locustfile.
        arguments: As after `locust -f FILE`: `--tags`, or the file's own.
        host: Where the load goes, for listeners; empty if the file says so itself.
        runner_of: Makes the runner that listeners find.

    Raises:
        ValueError: There is nothing in it that can be run, an argument is wrong or
            has no effect, or a listener fails.
    """
    found, load_shapes = load_locustfile(path)[:2]
    if not found:
        raise ValueError("it has no User class")
    options = _options(arguments, host)
    classes = [cls for cls in found.values() if cls.weight > 0 or cls.fixed_count > 0]
    environment = Environment(
        user_classes=classes,
        events=locust.events,
        locustfile=os.path.basename(path),
        host=options.host,
        parsed_options=options,
    )
    environment.parsed_locustfiles = [path]
    events: Any = environment.events
    before = {
        event: list(event._handlers) for event in (events.request, events.user_error)
    }
    runner = runner_of(environment)
    # Locust's own statistics cost 8 µs a request and round what they keep; and what
    # a task raises is told as a sample, not by a message of its own.
    for event, handlers in before.items():
        event._handlers = handlers
    _fire("init", environment, runner=runner, web_ui=None)
    names = [type(shape).__name__ for shape in load_shapes or []]
    warnings = [
        f"The locustfile's {name} decides nothing here: Assay says how much load there "
        "is."
        for name in names
    ]
    return Opened(environment, runner, classes, warnings)


def begin(
    found: Opened, arguments: Sequence[str] | None = None, host: str = ""
) -> None:
    """Choose the tasks and fire `test_start`.

    Args:
        found: The locustfile.
        arguments: What a master says; None leaves those that it was opened with.
        host: What a master says, too.

    Raises:
        ValueError: A class has no task, an argument is wrong, or a listener fails.
    """
    environment: Any = found.environment
    if arguments is not None:
        options = _options(arguments, host)
        vars(environment.parsed_options).update(vars(options))
        environment.host = options.host
    options = environment.parsed_options
    environment._filter_tasks_by_tags()
    for cls in found.classes:
        if not cls.tasks:
            chosen = " with these tags" if options.tags or options.exclude_tags else ""
            raise ValueError(
                f"{cls.__name__} has no task{chosen}; decorate one with @task"
            )
    _fire("test_start", environment)


def end(found: Opened) -> None:
    """Fire the events of a test's end."""
    environment = found.environment
    if found.runner.state != STATE_STOPPED:  # then Locust itself has fired it
        environment.events.test_stop.fire(environment=environment)
    environment.events.quitting.fire(environment=environment)
    gevent.sleep(0)


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


def _options(arguments: Sequence[str], host: str) -> argparse.Namespace:
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
            "after -- come --tags, --exclude-tags and options of the locustfile's own",
        ) from error
    if idle := _idle(found):
        raise Refused(
            f"its arguments: {', '.join(idle)} would have no effect: {ASSAYS}",
            "leave them out; those of assay load come before --: see its --help",
        )
    found.host = host or found.host
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
