"""The guide's practices, one file each, before above after.

A variant is a function that is given its resources and returns the handler. All
handlers of a practice have one name, so that their stacks can be compared.
"""

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from target_app.core.counts import Guard
from target_app.core.database import Resources
from target_app.core.errors import ConfigurationError

TOPICS = tuple(sorted(module.name for module in pkgutil.iter_modules(__path__)))

Handler = Callable[..., object]


@dataclass(frozen=True)
class Served:
    """A variant's handler, with what it does not say itself.

    Attributes:
        options: Of `FastAPI.add_api_route`; GET unless they say `methods`.
        beside: More handlers by name, answered at paths below the variant's own.
        wrap: Puts middleware around the handler, as an ASGI application.
    """

    handler: Handler
    options: Mapping[str, Any] = field(default_factory=dict)
    beside: Mapping[str, Handler] = field(default_factory=dict)
    wrap: Callable[[Any], Any] | None = None


@dataclass(frozen=True)
class Variant:
    """One way of doing it.

    Attributes:
        build: Makes the handler.
        guard: Tells from the counts whether it does what its name says.
        needs: The settings without which it cannot be served.
    """

    build: Callable[[Resources], Handler | Served]
    guard: Guard
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Practice:
    """A practice of the guide.

    Attributes:
        guide: The heading under which the guide recommends it.
        variants: By name, what is advised against first.
    """

    guide: str
    variants: Mapping[str, Variant]


def practice(topic: str) -> Practice:
    """Return the practice of that topic; only its own file is imported."""
    found: Practice = import_module(f"target_app.practices.{topic}").PRACTICE
    return found


def every_variant() -> dict[str, Variant]:
    """Return every variant by its full name, `topic.variant`."""
    return {
        f"{topic}.{name}": variant
        for topic in TOPICS
        for name, variant in practice(topic).variants.items()
    }


def variant_named(full_name: str) -> Variant:
    """Return the variant with that full name.

    Raises:
        ConfigurationError: There is none; the message names those there are.
    """
    topic, _, name = full_name.partition(".")
    if topic in TOPICS and name in practice(topic).variants:
        return practice(topic).variants[name]
    raise ConfigurationError(
        f"TARGET_VARIANT={full_name!r}: there is no such variant; "
        f"known are {', '.join(every_variant())}"
    )
