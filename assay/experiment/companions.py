"""Processes that a target calls: started once for a topic, beside the generator."""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from assay import services
from assay.experiment import target
from assay.plan import Companion, Topic
from assay.services.delay import delayed
from assay.system import ports, processes


@contextlib.contextmanager
def running_dependencies(
    topic: Topic, folder: Path, cores: Sequence[int]
) -> Iterator[dict[str, str]]:
    """Run everything that a topic's target calls, for the length of a with block.

    Args:
        topic: Names the services, the delays in front of them, and the companions.
        folder: Where the logs are written.
        cores: Cores to pin all these processes to; empty means no pinning.

    Yields:
        Environment variables with the URLs.

    Raises:
        MeasureError: A service or companion does not start.
    """
    with contextlib.ExitStack() as stack:
        urls = stack.enter_context(services.running(topic.target.needs, cores))
        for name, seconds in topic.target.round_trip.items():
            variable = services.SERVICES[name].variable
            log = folder / f"network-{name}.log"
            delay = delayed(name, urls[variable], seconds, log, cores)
            urls[variable] = stack.enter_context(delay)
        for companion in topic.companions:
            urls[companion.variable] = stack.enter_context(
                _started(companion, topic, urls, folder, cores)
            )
        yield urls


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
        env=target.command_environment(environment, {"PORT": str(port)}, companion.env),
        cores=cores,
    )
    try:
        target.await_answer(
            child.name,
            url,
            companion.ready,
            began,
            companion.ready_timeout,
            child,
            f"[companions] {companion.name}",
        )
        yield url
    finally:
        child.stop()
