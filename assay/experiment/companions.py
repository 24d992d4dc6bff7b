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
def surroundings(
    topic: Topic, folder: Path, cores: Sequence[int]
) -> Iterator[dict[str, str]]:
    """Have everything that a topic's target calls, for the length of a with block.

    Args:
        topic: Whose services, networks before them, and companions.
        folder: Takes logs.
        cores: Cores that all of it is pinned to; empty leaves it free.

    Yields:
        Environment variables that say where it is.

    Raises:
        MeasureError: Something does not start.
    """
    with contextlib.ExitStack() as stack:
        urls = stack.enter_context(services.running(topic.target.needs, cores))
        for name, seconds in topic.target.round_trip.items():
            variable = services.SERVICES[name].variable
            log = folder / f"network-{name}.log"
            far = delayed(name, urls[variable], seconds, log, cores)
            urls[variable] = stack.enter_context(far)
        for companion in topic.companions:
            urls[companion.variable] = stack.enter_context(
                _running(companion, topic, urls, folder, cores)
            )
        yield urls


@contextlib.contextmanager
def _running(
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
