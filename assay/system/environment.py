"""What to record of a machine so that a number can be judged later."""

import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import psutil

from assay.plan import Companion, Plan, Target, Topic, Variant
from assay.system import processes, redaction

PACKAGES = (
    "assay",
    "locust",
    "gevent",
    "pytest-benchmark",
    "py-spy",
    "memory-profiler",
    "fastapi",
    "starlette",
    "uvicorn",
    "sqlalchemy",
    "asyncpg",
    "psycopg",
    "aiosqlite",
    "redis",
    "pydantic",
)


def describe(
    plan: Plan, folders: Mapping[str, Path] | None = None
) -> dict[str, object]:
    """Return the machine, the versions and the commits of a run.

    Args:
        plan: Whose topics have a commit each.
        folders: Others that have one, by a name for each.
    """
    cores = processes.split_cores()
    named = {topic.name: topic.folder for topic in plan.topics}
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "platform": platform.platform(),
        "cpu": _cpu_model(),
        "cores": {"target": list(cores.target), "generator": list(cores.generator)},
        "pinned": bool(cores.target),
        "memory": psutil.virtual_memory().total,
        "load average": list(os.getloadavg()),
        "python": sys.version.split()[0],
        "versions": dict(_versions(PACKAGES)),
        "commits": _commits({**named, **(folders or {})}),
    }


def redacted(plan: Plan) -> Plan:
    """Return the plan without what must not be shown: passwords and keys."""
    topics = tuple(_topic(topic) for topic in plan.topics)
    command = redaction.command(plan.command)
    return plan.model_copy(update={"topics": topics, "command": command})


def redact(env: Mapping[str, str]) -> dict[str, str]:
    """Return an environment with secrets, and users in URLs, replaced by `***`."""
    return redaction.environment(env)


def _topic(topic: Topic) -> Topic:
    words = tuple(redaction.arguments(topic.scenario.arguments))
    return topic.model_copy(
        update={
            "target": _without_secrets(topic.target),
            "companions": tuple(_without_secrets(one) for one in topic.companions),
            "scenario": topic.scenario.model_copy(update={"arguments": words}),
            "variants": tuple(_without_secrets(one) for one in topic.variants),
        }
    )


def _without_secrets[Part: (Target, Companion, Variant)](  # noqa: D103
    part: Part,
) -> Part:
    shown: dict[str, object] = {"env": redact(part.env)}
    for name in ("command", "prepare"):
        if text := getattr(part, name, None):
            shown[name] = redaction.command(text)
    if text := getattr(part, "url", None):
        shown["url"] = redaction.url(text)
    return part.model_copy(update=shown)


def _versions(packages: Iterable[str]) -> Iterable[tuple[str, str]]:
    for package in packages:
        try:
            yield package, metadata.version(package)
        except metadata.PackageNotFoundError:
            continue


def _cpu_model() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor()
    match = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    return match[1] if match else platform.processor()


def _commits(folders: Mapping[str, Path]) -> dict[str, str]:
    """Return the commit of each folder, `+` for uncommitted changes."""
    found = {}
    for name, folder in folders.items():
        commit = _git(folder, "rev-parse", "--short", "HEAD")
        if commit:
            changed = _git(folder, "status", "--porcelain")
            found[name] = commit + ("+" if changed else "")
    return found


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
