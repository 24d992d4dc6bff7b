"""Checks the options of `assay load`, and turns them into a plan of a load test."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from assay.cli.output import command_line
from assay.errors import InputError
from assay.load import protocol
from assay.system import hosts

if TYPE_CHECKING:
    from assay.cli.trials import Trials
    from assay.inputs.locust_conf import Configuration
    from assay.load.shapes import Shape
    from assay.load_plan import LoadPlan

Number = TypeVar("Number", int, float)
MAX_USERS = 60_000
DEFAULT_USERS = 100  # the most users if --users is not given
DEFAULT_BIND = "127.0.0.1:5557"  # Locust's own port
DEFAULT_DURATION = 60.0  # seconds
SHAPE_DURATION = 86_400.0  # seconds; a LoadTestShape normally ends the test earlier


@dataclass(frozen=True)
class LoadRequest:
    """The options of `assay load`; `assay.cli.load_options` describes each of them."""

    locustfile: str
    seed: int
    host: str = ""
    allow_host: tuple[str, ...] = ()
    rate: str | None = None
    users: int | str | None = None  # a number, or stages
    spawn_rate: float | None = None
    duration: str | None = None
    iterations: int | None = None
    arrivals: str = "poisson"
    think_time: bool = False
    require: tuple[str, ...] = ()
    find_capacity: bool = False
    slo: str | None = None
    most: float = 20_000  # named like its option: the highest rate to try
    sweep: str | None = None
    workers: int = 1
    master: bool = False
    expect_workers: int | None = None
    bind: str | None = None
    drain: str = "10s"
    baseline: Path | None = None
    title: str = ""
    tag: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()

    @property
    def all_workers(self) -> int:
        """Number of processes that share the load, on this machine or on others."""
        return self.expect_workers or self.workers

    @property
    def many_trials(self) -> bool:
        """Whether several trials are requested instead of a single load test."""
        return self.find_capacity or self.sweep is not None


def with_locust_conf(request: LoadRequest, configuration: Configuration) -> LoadRequest:
    """Return the request, with missing options taken from Locust's own configuration.

    The number of users and the spawn rate are taken only if the request has neither a
    rate nor users, and asks for a single test. The duration is taken only for a single
    test, and only if its rate or users do not say how long the test lasts.

    Raises:
        InputError: A configured number of users or spawn rate is not a number.
    """
    from assay.load import shapes

    users, spawn_rate, duration = request.users, request.spawn_rate, request.duration
    if not (request.rate or users or request.many_trials):
        users = _configured_number(configuration, "users", int)
        spawn_rate = spawn_rate or _configured_number(
            configuration, "spawn-rate", float
        )
    whole = any(shapes.has_own_length(str(n)) for n in (request.rate, request.users))
    if not (request.many_trials or whole):
        duration = duration or configuration.get("run-time")
    return replace(
        request,
        host=request.host or configuration.get("host", ""),
        users=users,
        spawn_rate=spawn_rate,
        duration=duration,
    )


def _configured_number(
    configuration: Mapping[str, str], key: str, convert: type[Number]
) -> Number | None:
    """Return a number from Locust's configuration; None if it is not set.

    Raises:
        InputError: The entry is not a number.
    """
    text = configuration.get(key)
    try:
        return None if text is None else convert(text)
    except ValueError as error:
        raise InputError(
            f"locust.conf, or LOCUST_{key.upper().replace('-', '_')}: {key} {text!r}: "
            "expected a number"
        ) from error


def parse_users(text: str | None) -> int | str | None:
    """Return the number of users in --users, or its stages as they were written.

    Raises:
        InputError: The text is neither a number from 1 to `MAX_USERS` nor stages.
    """
    from assay.load import shapes

    if text is None or shapes.is_stages(text):
        return text
    if not (text.isascii() and text.isdigit() and 0 < int(text[:9]) <= MAX_USERS):
        raise InputError(
            f"--users {text!r}: expected a number from 1 to {MAX_USERS}, or stages "
            f"such as {shapes.STAGES}"
        )
    return int(text)


def locustfiles(text: str) -> list[Path]:
    """Return the absolute paths in the argument FILE: locustfiles, or folders of them.

    Raises:
        InputError: A path does not exist, or the argument has no path.
    """
    from assay.load.protocol import SEPARATOR

    paths = [Path(part.strip()) for part in text.split(SEPARATOR) if part.strip()]
    missing = [str(path) for path in paths if not path.exists()]
    if missing or not paths:
        named = ", ".join(missing) or repr(text)
        raise InputError(f"{named}: no such locustfile")
    return [path.resolve() for path in paths]


def make_plan(
    request: LoadRequest, trials: Trials | None, ignored: tuple[str, ...] = ()
) -> LoadPlan:
    """Check a request and turn it into a plan, before anything starts.

    Args:
        request: The request, with Locust's own configuration filled in.
        trials: The search or sweep that is requested; None for a single test.
        ignored: Keys of Locust's configuration that have no effect.

    Raises:
        InputError: A locustfile does not exist, an option is invalid, or options
            contradict each other.
    """
    from assay.load_plan import LoadPlan
    from assay.load_tests import requirements

    paths = locustfiles(request.locustfile)
    _check_options(request)
    bind = _bind_address(request)
    duration = _seconds(
        "duration", request.duration or (trials.trial_duration if trials else None)
    )
    rate_shape = _rate_shape(request, duration)
    user_shape = _user_shape(request, duration)
    users = _most_users(request, user_shape) or (trials.users if trials else None)
    shape = rate_shape or user_shape
    # Without a rate and users, the locustfile's LoadTestShape determines the load.
    locust_shaped = request.rate is None and users is None
    default_duration = SHAPE_DURATION if locust_shaped else DEFAULT_DURATION
    return LoadPlan(
        locustfile=paths[0],
        others=tuple(paths[1:]),
        host=request.host.rstrip("/"),
        allow_hosts=request.allow_host,
        locust=request.arguments,
        times=rate_shape.times if rate_shape else (),
        rates=rate_shape.rates if rate_shape else (),
        arrivals="even" if request.arrivals == "even" else "poisson",
        users=users or DEFAULT_USERS,
        spawn_rate=request.spawn_rate or 0.0,
        shaped=locust_shaped,
        user_times=user_shape.times if user_shape else (),
        user_counts=user_shape.rates if user_shape else (),
        duration=shape.duration if shape else duration or default_duration,
        iterations=request.iterations or 0,
        think_time=request.think_time or locust_shaped,
        drain=_seconds("drain", request.drain) or 10.0,
        workers=request.all_workers,
        bind=bind,
        seed=request.seed,
        shape=request.rate or (str(request.users) if user_shape else ""),
        requirements=tuple(requirements.parse(text) for text in request.require),
        trials=trials.kind if trials else "",
        notes=tuple(
            f"Locust's configuration: {key} has no effect under Assay."
            for key in ignored
        ),
        command=command_line(request.seed),
        title=" ".join(request.title.split()),
        tags=_tags(request.tag),
    )


def _tags(texts: tuple[str, ...]) -> dict[str, str]:
    """Return the tags by name.

    Raises:
        InputError: A tag has no name or no value, or a name comes twice.
    """
    tags = dict[str, str]()
    for text in texts:
        name, equals, value = (part.strip() for part in text.partition("="))
        if not (name and equals and value):
            raise InputError(
                f"--tag {text!r}: expected NAME=VALUE, such as branch=main; Locust's "
                "own tags, which choose tasks, come after --: -- --tags NAME"
            )
        if name in tags:
            raise InputError(f"--tag {text!r}: there is a tag {name!r} already")
        tags[name] = value
    return tags


def _check_options(request: LoadRequest) -> None:
    """Check the host, the arrivals and the spawn rate.

    Raises:
        InputError: One of these is invalid, or --spawn-rate contradicts --rate.
    """
    if request.host and not request.host.startswith(("http://", "https://")):
        raise InputError(f"--host {request.host!r}: expected http://… or https://…")
    if refused := hosts.refusal(request.host, request.allow_host):
        raise InputError(refused)
    if request.arrivals not in ("poisson", "even"):
        raise InputError(
            f"--arrivals {request.arrivals!r}: expected 'poisson' or 'even'"
        )
    if request.spawn_rate and request.rate is not None:
        raise InputError(
            "--spawn-rate: with --rate, users are created as arrivals need them; leave "
            "out --spawn-rate or --rate"
        )


def _seconds(option: str, text: str | None) -> float | None:
    """Return a time in seconds; None if none was given.

    Raises:
        InputError: The text is not a time.
    """
    from assay.load import shapes

    try:
        return None if text is None else shapes.seconds(text)
    except ValueError as error:
        raise InputError(f"--{option}: {error}") from error


def _rate_shape(request: LoadRequest, duration: float | None) -> Shape | None:
    """Return the arrival rate over time; None in a closed loop.

    Raises:
        InputError: --rate is not a shape, or contradicts other options.
    """
    from assay.load import shapes

    if request.rate is None:
        return None
    if request.think_time:
        raise InputError(
            "--think-time: arrivals on a schedule do not wait for users; leave out "
            "--rate or --think-time"
        )
    shape = shapes.parse(request.rate, duration, required_duration=duration)
    if not shape.expected:
        raise InputError(
            f"--rate {request.rate!r}: there would be no arrivals; expected a rate "
            "above 0"
        )
    return shape


def _user_shape(request: LoadRequest, duration: float | None) -> Shape | None:
    """Return the number of users over time; None if --users has no stages.

    Raises:
        InputError: --users is malformed, or contradicts other options.
    """
    from assay.load import shapes

    if not isinstance(request.users, str):
        return None
    if request.rate is not None or request.find_capacity:
        raise InputError(
            f"--users {request.users!r}: with --rate or --find-capacity, --users is "
            "the maximum number of users: give one number"
        )
    if request.spawn_rate:
        raise InputError(
            "--spawn-rate: the stages of --users say when users start; leave out "
            "--spawn-rate"
        )
    shape = shapes.stages(request.users, "--users", users=True)
    if not 1 <= max(shape.rates) <= MAX_USERS:
        raise InputError(
            f"--users {request.users!r}: expected at most {MAX_USERS} users, and at "
            "least 1 in some stage"
        )
    return shapes.of_duration(shape, duration, f"--users {request.users!r}")


def _most_users(request: LoadRequest, user_shape: Shape | None) -> int | None:
    """Return the largest number of users; None if none was given."""
    if user_shape:
        return round(max(user_shape.rates))
    return request.users if isinstance(request.users, int) else None


def _bind_address(request: LoadRequest) -> str:
    """Return the address that workers on other machines join; empty without --master.

    Raises:
        InputError: The address is invalid, an option for it is missing, or options
            contradict each other.
    """
    if not request.master:
        if request.bind or request.expect_workers:
            raise InputError("--bind and --expect-workers need --master")
        return ""
    if not request.expect_workers:
        raise InputError(
            "--master: say how many workers will join, for example --expect-workers 2"
        )
    if request.workers > 1:
        raise InputError(
            "--workers starts local processes and --master waits for workers on other "
            "machines: leave out one of them"
        )
    host, colon, port = (request.bind or DEFAULT_BIND).rpartition(":")
    if not (host and colon and port.isdigit() and 0 < int(port) < 65536):
        raise InputError(
            f"--bind {request.bind!r}: expected HOST:PORT, such as '*:5557'"
        )
    is_here = host not in ("*", "0.0.0.0", "::") and not hosts.refused(f"//{host}", ())
    if not is_here and not os.environ.get(protocol.TOKEN):
        raise InputError(
            f"--bind {host}:{port}: workers of other machines must know a secret; set "
            f"the same {protocol.TOKEN} for the master and its workers, for example: "
            f"export {protocol.TOKEN}=$(openssl rand -hex 16)"
        )
    return f"{host}:{port}"
