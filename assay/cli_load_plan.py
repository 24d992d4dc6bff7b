"""What `assay load` was asked for, understood before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from assay.cli_shared import command_line
from assay.errors import InputError

if TYPE_CHECKING:
    from assay.load.shapes import Shape
    from assay.load_plan import LoadPlan

Number = TypeVar("Number", int, float)
USERS = 100  # that an open loop may make, if nothing else is said
ANYWHERE = "*:5557"  # Locust's own port


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


def planned(locustfile: str, host: str, **given: Any) -> LoadPlan:
    """Understand what was asked for, all of it before anything starts.

    Raises:
        InputError: Something in it makes no sense.
    """
    from assay.load import shapes
    from assay.load_test import requirements
    from assay.load_plan import LoadPlan

    paths = locustfiles(locustfile)
    if host and not host.startswith(("http://", "https://")):
        raise InputError(f"--host {host!r}: expected http://… or https://…")
    if given["arrivals"] not in ("poisson", "even"):
        raise InputError(
            f"--arrivals {given['arrivals']!r}: expected 'poisson' or 'even'"
        )
    if given["spawn_rate"] and given["rate"] is not None:
        raise InputError(
            "--spawn-rate: with --rate users are made as arrivals need them; leave out "
            "--spawn-rate, or --rate"
        )
    seconds = {}
    for name in ("duration", "drain"):
        try:
            written = given[name]
            seconds[name] = None if written is None else shapes.seconds(written)
        except ValueError as error:
            raise InputError(f"--{name}: {error}") from error
    shape = arriving(given["rate"], seconds["duration"], given["think_time"])
    shaped = given["rate"] is None and given["users"] is None
    longest = 86_400.0 if shaped else 60.0  # a shape says itself when it is over
    return LoadPlan(
        locustfile=paths[0],
        others=tuple(paths[1:]),
        host=host.rstrip("/"),
        locust=tuple(given["locust"]),
        times=shape.times if shape else (),
        rates=shape.rates if shape else (),
        arrivals=given["arrivals"],
        users=given["users"] or USERS,
        spawn_rate=given["spawn_rate"] or 0.0,
        shaped=shaped,
        duration=shape.duration if shape else seconds["duration"] or longest,
        iterations=given["iterations"] or 0,
        think_time=given["think_time"] or shaped,
        drain=seconds["drain"] or 10.0,
        workers=given["workers"],
        bind=given["bind"],
        seed=given["seed"],
        shape=given["rate"] or "",
        requirements=tuple(requirements.parse(text) for text in given["require"]),
        trials=given["trials"],
        notes=tuple(
            f"Locust's configuration: {key} has no effect under Assay."
            for key in given["ignored"]
        ),
        command=command_line(given["seed"]),
    )


def arriving(
    rate: str | None, duration: float | None, think_time: bool
) -> Shape | None:
    """Return how arrivals come; None in a closed loop.

    Raises:
        InputError: It is no shape, or does not go with the other options.
    """
    from assay.load import shapes

    if rate is None:
        return None
    if think_time:
        raise InputError(
            "--think-time: arrivals on a schedule do not wait for users; leave out "
            "--rate, or --think-time"
        )
    shape = shapes.parse(rate, duration, wanted=duration)
    if not shape.expected:
        raise InputError(
            f"--rate {rate!r}: nobody would ever come; expected a rate above 0"
        )
    return shape


def address(master: bool, bind: str | None, expected: int | None, workers: int) -> str:
    """Return where workers from elsewhere join; empty if none do.

    Raises:
        InputError: The options do not go together.
    """
    if not master:
        if bind or expected:
            raise InputError("--bind and --expect-workers go with --master")
        return ""
    if not expected:
        raise InputError(
            "--master: say how many workers will join, with --expect-workers 2"
        )
    if workers > 1:
        raise InputError(
            "--workers starts them here, --master waits for those of other machines: "
            "leave out one of them"
        )
    host, colon, port = (bind or ANYWHERE).rpartition(":")
    if not (host and colon and port.isdigit() and 0 < int(port) < 65536):
        raise InputError(f"--bind {bind!r}: expected HOST:PORT, such as '*:5557'")
    return f"{host}:{port}"
