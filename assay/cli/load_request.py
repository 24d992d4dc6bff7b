"""What `assay load` was asked for, understood before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from assay.cli.output import command_line
from assay.errors import InputError

if TYPE_CHECKING:
    from assay.cli.trials import Trials
    from assay.inputs.locust_conf import Configuration
    from assay.load.shapes import Shape
    from assay.load_plan import LoadPlan

Number = TypeVar("Number", int, float)
USERS = 100  # that an open loop may make, if nothing else is said
ANYWHERE = "*:5557"  # Locust's own port


@dataclass(frozen=True)
class LoadRequest:
    """What somebody typed; `assay.cli.load_options` says what each option means."""

    locustfile: str
    seed: int
    host: str = ""
    rate: str | None = None
    users: int | None = None
    spawn_rate: float | None = None
    duration: str | None = None
    iterations: int | None = None
    arrivals: str = "poisson"
    think_time: bool = False
    require: tuple[str, ...] = ()
    find_capacity: bool = False
    slo: str | None = None
    most: float = 20_000
    sweep: str | None = None
    workers: int = 1
    master: bool = False
    expect_workers: int | None = None
    bind: str | None = None
    drain: str = "10s"
    arguments: tuple[str, ...] = ()

    @property
    def all_workers(self) -> int:
        """Processes that share the load."""
        return self.expect_workers or self.workers

    @property
    def many_trials(self) -> bool:
        """Whether it is not a single load test."""
        return self.find_capacity or self.sweep is not None


def completed(request: LoadRequest, said: Configuration) -> LoadRequest:
    """Return a request with what Locust's own configuration adds to it.

    Raises:
        InputError: A number in that is none.
    """
    users, spawn_rate, duration = request.users, request.spawn_rate, request.duration
    if not (request.rate or users or request.many_trials):
        users = number(said, "users", int)
        spawn_rate = spawn_rate or number(said, "spawn-rate", float)
    if not request.many_trials:
        duration = duration or said.get("run-time")
    return replace(
        request,
        host=request.host or said.get("host", ""),
        users=users,
        spawn_rate=spawn_rate,
        duration=duration,
    )


def number(said: Mapping[str, str], key: str, kind: type[Number]) -> Number | None:
    """Return a number of Locust's configuration.

    Raises:
        InputError: It is none.
    """
    text = said.get(key)
    try:
        return None if text is None else kind(text)
    except ValueError as error:
        raise InputError(
            f"locust.conf, or LOCUST_{key.upper().replace('-', '_')}: {key} {text!r}: "
            "expected a number"
        ) from error


def locustfiles(text: str) -> list[Path]:
    """Return the locustfiles, or folders of them, that somebody named.

    Raises:
        InputError: One of them is not there.
    """
    from assay.load.protocol import SEPARATOR

    paths = [Path(part.strip()) for part in text.split(SEPARATOR) if part.strip()]
    missing = [str(path) for path in paths if not path.exists()]
    if missing or not paths:
        named = ", ".join(missing) or repr(text)
        raise InputError(f"{named}: there is no such locustfile")
    return [path.resolve() for path in paths]


def planned(
    request: LoadRequest, trials: Trials | None, ignored: tuple[str, ...] = ()
) -> LoadPlan:
    """Understand what was asked for, all of it before anything starts.

    Args:
        request: With what Locust's own configuration adds.
        trials: What it is if it is no single test.
        ignored: What of that configuration has no effect.

    Raises:
        InputError: Something in it makes no sense.
    """
    from assay.load_plan import LoadPlan
    from assay.load_tests import requirements

    paths = locustfiles(request.locustfile)
    _check(request)
    bind = _address(request)
    users = request.users or (trials.users if trials else None)
    duration = _seconds(
        "duration", request.duration or (trials.trial if trials else None)
    )
    shape = _arriving(request, duration)
    shaped = request.rate is None and users is None
    longest = 86_400.0 if shaped else 60.0  # a shape says itself when it is over
    return LoadPlan(
        locustfile=paths[0],
        others=tuple(paths[1:]),
        host=request.host.rstrip("/"),
        locust=request.arguments,
        times=shape.times if shape else (),
        rates=shape.rates if shape else (),
        arrivals="even" if request.arrivals == "even" else "poisson",
        users=users or USERS,
        spawn_rate=request.spawn_rate or 0.0,
        shaped=shaped,
        duration=shape.duration if shape else duration or longest,
        iterations=request.iterations or 0,
        think_time=request.think_time or shaped,
        drain=_seconds("drain", request.drain) or 10.0,
        workers=request.all_workers,
        bind=bind,
        seed=request.seed,
        shape=request.rate or "",
        requirements=tuple(requirements.parse(text) for text in request.require),
        trials=trials.kind if trials else "",
        notes=tuple(
            f"Locust's configuration: {key} has no effect under Assay."
            for key in ignored
        ),
        command=command_line(request.seed),
    )


def _check(request: LoadRequest) -> None:
    """Make sure that options which stand alone make sense.

    Raises:
        InputError: One does not.
    """
    if request.host and not request.host.startswith(("http://", "https://")):
        raise InputError(f"--host {request.host!r}: expected http://… or https://…")
    if request.arrivals not in ("poisson", "even"):
        raise InputError(
            f"--arrivals {request.arrivals!r}: expected 'poisson' or 'even'"
        )
    if request.spawn_rate and request.rate is not None:
        raise InputError(
            "--spawn-rate: with --rate users are made as arrivals need them; leave out "
            "--spawn-rate, or --rate"
        )


def _seconds(option: str, written: str | None) -> float | None:
    """Return a time in seconds; None if none was given.

    Raises:
        InputError: It is none.
    """
    from assay.load import shapes

    try:
        return None if written is None else shapes.seconds(written)
    except ValueError as error:
        raise InputError(f"--{option}: {error}") from error


def _arriving(request: LoadRequest, duration: float | None) -> Shape | None:
    """Return how arrivals come; None in a closed loop.

    Raises:
        InputError: It is no shape, or does not go with the other options.
    """
    from assay.load import shapes

    if request.rate is None:
        return None
    if request.think_time:
        raise InputError(
            "--think-time: arrivals on a schedule do not wait for users; leave out "
            "--rate, or --think-time"
        )
    shape = shapes.parse(request.rate, duration, wanted=duration)
    if not shape.expected:
        raise InputError(
            f"--rate {request.rate!r}: nobody would ever come; expected a rate above "
            "0"
        )
    return shape


def _address(request: LoadRequest) -> str:
    """Return where workers from elsewhere join; empty if none do.

    Raises:
        InputError: The options do not go together.
    """
    if not request.master:
        if request.bind or request.expect_workers:
            raise InputError("--bind and --expect-workers go with --master")
        return ""
    if not request.expect_workers:
        raise InputError(
            "--master: say how many workers will join, with --expect-workers 2"
        )
    if request.workers > 1:
        raise InputError(
            "--workers starts them here, --master waits for those of other machines: "
            "leave out one of them"
        )
    host, colon, port = (request.bind or ANYWHERE).rpartition(":")
    if not (host and colon and port.isdigit() and 0 < int(port) < 65536):
        raise InputError(
            f"--bind {request.bind!r}: expected HOST:PORT, such as '*:5557'"
        )
    return f"{host}:{port}"
