"""The practices of the guide, one file for each, usually with worse variants first.

A variant is a function that gets resources and returns the handler. All handlers of a
practice have the same name, so that their stacks can be compared.
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
    """A variant's handler, with the options of its route.

    Attributes:
        options: Options of `FastAPI.add_api_route`; the default method is GET.
        extra_handlers: More handlers by name, for GET at `<the variant's path>/<name>`.
        wrap: Wraps the route's ASGI application in middleware.
    """

    handler: Handler
    options: Mapping[str, Any] = field(default_factory=dict)
    extra_handlers: Mapping[str, Handler] = field(default_factory=dict)
    wrap: Callable[[Any], Any] | None = None


@dataclass(frozen=True)
class Variant:
    """One variant of a practice.

    Attributes:
        build: Makes the handler.
        guard: Checks by the counts that the variant does what its name says.
        needs: Names of the settings that it requires, such as `database_url`.
    """

    build: Callable[[Resources], Handler | Served]
    guard: Guard
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Practice:
    """A practice of the guide.

    Attributes:
        guide: The heading in the guide under which it is recommended.
        variants: The variants by name, usually the worse ones first.
    """

    guide: str
    variants: Mapping[str, Variant]


def load_practice(topic: str) -> Practice:
    """Return the practice of a topic; only its own file is imported."""
    practice: Practice = import_module(f"target_app.practices.{topic}").PRACTICE
    return practice


def all_variants() -> dict[str, Variant]:
    """Return all variants by full name, `topic.variant`."""
    return {
        f"{topic}.{name}": variant
        for topic in TOPICS
        for name, variant in load_practice(topic).variants.items()
    }


def get_variant(full_name: str) -> Variant:
    """Return the variant with a full name.

    Raises:
        ConfigurationError: There is no such variant; the message names all of them.
    """
    topic, _, name = full_name.partition(".")
    if topic in TOPICS and name in load_practice(topic).variants:
        return load_practice(topic).variants[name]
    raise ConfigurationError(
        f"TARGET_VARIANT={full_name!r}: there is no such variant; "
        f"known are {', '.join(all_variants())}"
    )
