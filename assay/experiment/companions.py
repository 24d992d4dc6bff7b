"""Start the servers that a target calls, once for a topic, on the generator's cores."""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from assay import services
from assay.experiment.commands import command_environment
from assay.experiment.readiness import await_answer
from assay.plan import Companion, Topic, Variant
from assay.services.delay import delayed
from assay.system import ports, processes


@dataclass(frozen=True)
class Dependencies:
    """The running services and companions that a topic's target calls.

    Attributes:
        urls: URLs, by the name of the environment variable that passes each to the
            target.
        own: For each side, by its name, the URLs of its own databases in the same form.
    """

    urls: dict[str, str]
    own: dict[str, dict[str, str]] = field(default_factory=dict)

    def used_by(self, topic: Topic) -> Topic:
        """Return a topic whose sides use their own databases.

        Variables that the user sets take precedence.
        """
        variants = tuple(
            variant.model_copy(
                update={"env": {**self.own.get(variant.name, {}), **variant.env}}
            )
            for variant in topic.variants
        )
        return topic.model_copy(update={"variants": variants})

    def shared(self, topic: Topic) -> list[str]:
        """Return the names of the services whose database the sides share.

        Args:
            topic: A topic that `used_by` has returned.
        """
        return [
            name
            for name in topic.target.needs
            if not all(
                self._has_own(variant, services.SERVICES[name].variable)
                for variant in topic.variants
            )
        ]

    def _has_own(self, variant: Variant, variable: str) -> bool:
        url = self.own.get(variant.name, {}).get(variable)
        return url is not None and variant.env.get(variable) == url


@contextlib.contextmanager
def running_dependencies(
    topic: Topic, folder: Path, cores: Sequence[int]
) -> Iterator[Dependencies]:
    """Run everything that a topic's target calls, for the length of a with block.

    Two commits can need different tables, so each side has its own database. Companions
    run the code of HEAD, and use the database of HEAD.

    Args:
        topic: The topic, which names the services, the network delays in front of them,
            and the companions.
        folder: The folder for the logs.
        cores: Cores to pin all these processes to; empty means no pinning.

    Raises:
        MeasureError: A service or companion does not start.
    """
    with contextlib.ExitStack() as stack:
        sides = [variant.name for variant in topic.variants if variant.cwd]
        running = stack.enter_context(
            services.running_for(sides, topic.target.needs, cores)
        )
        urls = running.urls
        for name, seconds in topic.target.round_trip.items():
            variable = services.SERVICES[name].variable
            log = folder / f"network-{name}.log"
            delay = delayed(name, urls[variable], seconds, log, cores)
            urls[variable] = stack.enter_context(delay)
        own = {
            side: {
                variable: _with_database(urls[variable], names[side])
                for variable, names in running.databases.items()
            }
            for side in sides
        }
        for companion in topic.companions:
            environment = {**urls, **(own[sides[-1]] if sides else {})}
            urls[companion.variable] = stack.enter_context(
                _started(companion, topic, environment, folder, cores)
            )
        yield Dependencies(urls, own)


def _with_database(url: str, name: str) -> str:
    """Return the URL of another database on the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{quote(name)}"))


def _of_the_candidate(topic: Topic) -> dict[str, str]:
    """Return variables that lead to HEAD's packages, if two commits are compared."""
    candidate = topic.variants[-1]
    names = ("PATH", "VIRTUAL_ENV") if candidate.cwd else ()
    return {name: candidate.env[name] for name in names if name in candidate.env}


@contextlib.contextmanager
def _started(
    companion: Companion,
    topic: Topic,
    environment: Mapping[str, str],
    folder: Path,
    cores: Sequence[int],
) -> Iterator[str]:
    port = ports.free()
    url = f"http://127.0.0.1:{port}"
    began = time.perf_counter()
    child = processes.start(
        f"the companion {companion.name!r}",
        shlex.split(companion.command.replace("{port}", str(port))),
        log=folder / f"companion-{companion.name}.log",
        cwd=topic.target.cwd,
        env=command_environment(
            topic.target.cwd,
            environment,
            _of_the_candidate(topic),
            {"PORT": str(port)},
            companion.env,
        ),
        cores=cores,
    )
    try:
        await_answer(
            child.name,
            url,
            companion.ready,
            began,
            companion.ready_timeout,
            child,
            f"[companions.{companion.name}]",
        )
        yield url
    finally:
        child.stop()
