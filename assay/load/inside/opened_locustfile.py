"""A locustfile, opened the way the `locust` command opens it."""

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gevent
import locust
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

from assay.load.inside.options import LocustfileError, check_hosts, parse_options
from assay.load.inside.runner import LiveStats, SteeredRunner
from assay.load.protocol import SEPARATOR


@dataclass(frozen=True)
class OpenedLocustfile:
    """The contents of a locustfile, or of several.

    Attributes:
        environment: Locust's environment, with its events.
        runner: Locust's runner, of any kind.
        classes: The user classes that take part.
        shape: The LoadTestShape, which sets the number of users unless an option of
            Assay does; None if the files have none.
    """

    environment: Environment
    runner: Runner
    classes: list[type[User]]
    shape: LoadTestShape | None

    @property
    def shape_name(self) -> str:
        """Name of the LoadTestShape; empty if there is none."""
        return type(self.shape).__name__ if self.shape else ""


def local_runner(environment: Environment) -> Runner:
    """Return a runner for a process that has no master and no workers."""
    runner = environment._create_runner(SteeredRunner)
    runner.greenlet.kill(block=False)  # this greenlet only watches the CPU
    return runner


def open_locustfile(
    path: str,
    arguments: Sequence[str],
    settings: Mapping[str, Any] | None = None,
    make_runner: Callable[[Environment], Runner] = local_runner,
) -> OpenedLocustfile:
    """Import a locustfile and fire `init`.

    Args:
        path: Path of a locustfile, of a folder of locustfiles, or of several of them,
            joined by `SEPARATOR`.
        arguments: The arguments after `locust -f FILE`: `--tags`, names of user
            classes, or options that the locustfile defines.
        settings: Further options that listeners and users see: `host`, `num_users`,
            `spawn_rate` and `run_time`. If `host` is empty, the locustfile sets it.
            `ALLOW_HOSTS` lists the other machines that load may be sent to; without
            it, load may be sent to any machine. Listeners and users do not see it.
        make_runner: Makes the runner that listeners see.

    Raises:
        ValueError: The file has nothing that can be run, an argument is wrong or has
            no effect, or a listener fails.
    """
    paths = _paths(path)
    user_classes, shapes = _load(paths)
    if not user_classes:
        raise ValueError("it has no User class and no test function")
    options = parse_options(arguments, settings or {})
    classes = _select_classes(user_classes, options.user_classes)
    check_hosts(classes, options.host, settings or {})
    shape = shapes[0] if shapes else None
    environment = Environment(
        user_classes=classes,
        shape_class=shape,
        events=locust.events,
        locustfile=os.path.basename(paths[0]),
        host=options.host,
        parsed_options=options,
    )
    environment.parsed_locustfiles = paths
    events: Any = environment.events
    request_handlers = list(events.request._handlers)
    error_handlers = list(events.user_error._handlers)
    runner = make_runner(environment)
    # Locust would update its statistics for each request, which takes 8 µs;
    # LiveStats counts many together.
    events.request._handlers = request_handlers
    if not isinstance(runner, SteeredRunner):
        # A worker would send its master one message for each exception of a task.
        events.user_error._handlers = error_handlers
    if not isinstance(runner, MasterRunner):  # it gets statistics from its workers
        environment.stats = LiveStats(environment.stats.use_response_times_cache)
    if isinstance(runner, WorkerRunner):
        setup_distributed_stats_event_listeners(events, environment.stats)
    _fire("init", environment, runner=runner, web_ui=None)
    return OpenedLocustfile(environment, runner, classes, shape)


def select_tasks(
    locustfile: OpenedLocustfile,
    arguments: Sequence[str] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> None:
    """Set the number of users, and keep only the tasks that the tags allow.

    Args:
        locustfile: The opened locustfile.
        arguments: The master's arguments; None keeps the arguments that the locustfile
            was opened with.
        settings: The master's settings; None keeps the earlier settings.

    Raises:
        ValueError: A class has no task, or an argument is wrong.
    """
    environment: Any = locustfile.environment
    user_count = (settings or vars(environment.parsed_options)).get("num_users")
    locustfile.runner.target_user_count = int(user_count or 0)
    if arguments is not None:
        options = parse_options(arguments, settings or {})
        vars(environment.parsed_options).update(vars(options))
        environment.host = options.host
        check_hosts(locustfile.classes, options.host, settings or {})
    options = environment.parsed_options
    environment._filter_tasks_by_tags()
    for cls in locustfile.classes:
        if not (cls.tasks or getattr(cls, "functions", None)):
            tagged = " with these tags" if options.tags or options.exclude_tags else ""
            raise ValueError(
                f"{cls.__name__} has no task{tagged}; decorate one with @task"
            )


def fire_test_start(locustfile: OpenedLocustfile) -> None:
    """Fire `test_start`.

    Raises:
        ValueError: A listener fails.
    """
    _fire("test_start", locustfile.environment)


def fire_test_stopping(locustfile: OpenedLocustfile) -> None:
    """Fire `test_stopping` once; call this function before users are stopped."""
    runner: Any = locustfile.runner
    if runner.state not in (STATE_STOPPING, STATE_STOPPED):
        runner.update_state(STATE_STOPPING)
        environment = locustfile.environment
        environment.events.test_stopping.fire(environment=environment)


def fire_test_stop(locustfile: OpenedLocustfile) -> None:
    """Fire `test_stop` once; call this function after users were stopped."""
    fire_test_stopping(locustfile)
    runner: Any = locustfile.runner
    if runner.state != STATE_STOPPED:
        runner.update_state(STATE_STOPPED)
        environment = locustfile.environment
        environment.events.test_stop.fire(environment=environment)


def fire_end(locustfile: OpenedLocustfile) -> int | None:
    """Fire the events of a test's end; return the exit code that a listener set."""
    environment = locustfile.environment
    fire_test_stop(locustfile)
    environment.events.quitting.fire(environment=environment, reverse=True)
    code = environment.process_exit_code
    environment.events.quit.fire(exit_code=code or 0)
    gevent.sleep(0)
    return None if code is None else int(code)


def _paths(path: str) -> list[str]:
    """Return the files that a path stands for.

    Raises:
        LocustfileError: A folder holds no .py file.
    """
    paths: list[str] = []
    for part in path.split(SEPARATOR):
        if not os.path.isdir(part):
            paths.append(part)
            continue
        files = sorted(get_abspaths_in(part, extension=".py"))
        if not files:
            raise LocustfileError(
                f"the folder {part} holds no .py file",
                "name a locustfile, or its folder",
            )
        paths += files
    return paths


def _load(
    paths: Sequence[str],
) -> tuple[dict[str, type[User]], list[LoadTestShape]]:
    """Return the user classes and shapes of some files.

    As in Locust, test functions in pytest's style count only if there is no user class.

    Raises:
        LocustfileError: Two classes have the same name.
    """
    user_classes: dict[str, type[User]] = {}
    files: dict[str, str] = {}
    shapes: list[LoadTestShape] = []
    for path in paths:
        file_classes, file_shapes = load_locustfile(path)[:2]
        _add(user_classes, files, file_classes)
        shapes += file_shapes
    if not user_classes:
        for path in paths:
            _add(user_classes, files, load_locustfile_pytest(path))
    return user_classes, shapes


def _add(
    user_classes: dict[str, type[User]],
    files: dict[str, str],
    new_classes: Mapping[str, type[User]],
) -> None:
    """Add the user classes of a file that was just loaded.

    Args:
        user_classes: The classes of all files so far, by name; those of the new file
            are added.
        files: The file of each class by its name. They are kept because Python forgets
            the file of a module when another module of that name is loaded.
        new_classes: The classes of the file.

    Raises:
        LocustfileError: A class of another file has the same name.
    """
    for name, cls in new_classes.items():
        before, file = user_classes.setdefault(name, cls), _file_of(cls)
        if before is not cls and files[name] != file:
            raise LocustfileError(
                f"{name} is a user class of {files[name]} and of {file}",
                "rename one of them: results and weights are kept by name",
            )
        files.setdefault(name, file)


def _file_of(cls: type[User]) -> str:
    """Return the file of a class, or its module if it has no file."""
    try:
        return inspect.getfile(cls)
    except (OSError, TypeError):
        return cls.__module__


def _select_classes(
    user_classes: Mapping[str, type[User]], names: Sequence[str] | None
) -> list[type[User]]:
    """Return the classes that take part: those that were named, or all.

    Raises:
        LocustfileError: A named class does not exist, or every class has weight 0.
    """
    unknown = [name for name in names or () if name not in user_classes]
    if unknown:
        raise LocustfileError(
            f"no user class {', '.join(unknown)}",
            f"it has {', '.join(user_classes)}",
        )
    classes = [
        cls
        for name, cls in user_classes.items()
        if (name in names if names else cls.weight > 0 or cls.fixed_count > 0)
    ]
    if not classes:
        raise LocustfileError("every user class has the weight 0", "give one a weight")
    return classes


def _fire(event: str, environment: Environment, **arguments: Any) -> None:
    """Call the listeners of an event, and stop at the first exception.

    Locust would only log the exception, and run a test whose preparation has failed.

    Raises:
        LocustfileError: A listener raised an exception.
    """
    for listener in list(getattr(environment.events, event)._handlers):
        name = getattr(listener, "__qualname__", repr(listener))
        try:
            listener(environment=environment, **arguments)
        except Exception as error:
            raise LocustfileError(
                f"its {event} listener {name} raised {type(error).__name__}: {error}",
                "the test may need what the listener prepares, so it is not run: fix "
                "the listener, or remove it if the test does not need it",
            ) from error
