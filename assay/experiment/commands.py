"""The commands of `[target]`: their environment, and `prepare`."""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from assay.errors import MeasureError
from assay.experiment import shared_state
from assay.plan import Topic, Variant
from assay.system import processes, project_environment


def command_environment(
    cwd: Path,
    base: Mapping[str, str],
    *additions: Mapping[str, str],
    is_copy: bool = False,
) -> dict[str, str]:
    """Return the environment of a target's command.

    Args:
        cwd: The folder that the command runs in: see `project_environment.activated`.
        base: Variables that are added to those of this process.
        additions: Variables that take precedence, such as those of a variant; later
            ones win.
        is_copy: Whether `cwd` is a copy of the project's folder.
    """
    # A copy has a link to the virtual environment of the original project: `uv run`
    # must not install the copy into that environment.
    merged = {"UV_NO_SYNC": "1"} if is_copy else {}
    merged |= project_environment.activated({**os.environ, **base}, cwd)
    for addition in additions:
        merged.update(addition)
    return merged


def prepare(topic: Topic, environment: Mapping[str, str], folder: Path) -> None:
    """Run the target's `prepare` command, if it has one.

    If variants have their own working directories, as two commits do, the command runs
    once for each of these variants.

    Raises:
        MeasureError: The command failed; the message has its last lines.
    """
    if not topic.target.prepare:
        return
    variants = [variant for variant in topic.variants if variant.cwd]
    for variant in variants or [Variant(name="")]:
        _prepare(topic, variant, environment, folder)


def _prepare(
    topic: Topic, variant: Variant, environment: Mapping[str, str], folder: Path
) -> None:
    target = topic.target
    side = f", {variant.name}" if variant.name else ""
    child = processes.start(
        f"[target] prepare of {topic.file}{side}",
        shlex.split(target.prepare or ""),
        log=folder / f"prepare{variant.name}.log",
        cwd=topic.cwd_of(variant),
        env=command_environment(
            topic.cwd_of(variant),
            environment,
            target.env,
            variant.env,
            is_copy=target.copied,
        ),
    )
    try:
        child.wait(600.0)
        if child.exit_code() != 0:
            raise MeasureError(
                f"{topic.file}{side}: [target] prepare = {target.prepare!r} failed "
                f"with exit code {child.exit_code()}; its last lines:\n"
                f"{child.last_lines()}{shared_state.hint(topic, variant, child)}"
            )
    finally:
        child.stop()
