"""A description of the machine and the software, recorded with every run."""

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

from assay.commits import Subject
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
    """Describe the machine, the versions and the commits of a run.

    Args:
        plan: The plan; the commit of each topic's folder is recorded.
        folders: Other folders whose commits are recorded, by name.
    """
    cores = processes.split_cores()
    topic_folders = {topic.name: topic.folder for topic in plan.topics}
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
        "commits": {
            **_commits({**topic_folders, **(folders or {})}),
            **_sides(plan.subject),
        },
    }


def redacted(plan: Plan) -> Plan:
    """Return the plan with passwords and keys replaced by `***`."""
    topics = tuple(_redacted_topic(topic) for topic in plan.topics)
    command = redaction.command(plan.command)
    return plan.model_copy(update={"topics": topics, "command": command})


def learn_secrets(plan: Plan) -> None:
    """Hide the values of the secrets of a plan from now on; see `redaction.learn`."""
    ordinary: list[str] = []
    for topic in plan.topics:
        ordinary += [topic.name, *(variant.name for variant in topic.variants)]
        parts: list[Target | Companion | Variant]
        parts = [topic.target, *topic.companions, *topic.variants]
        for part in parts:
            texts = (getattr(part, name, "") for name in ("command", "prepare", "url"))
            redaction.learn(part.env, filter(None, texts))
        redaction.learn(words=topic.scenario.arguments)
    redaction.learn(commands=[plan.command], ordinary=ordinary)


def redact(env: Mapping[str, str]) -> dict[str, str]:
    """Return an environment with secrets, and users in URLs, replaced by `***`."""
    return redaction.environment(env)


def _redacted_topic(topic: Topic) -> Topic:
    arguments = tuple(redaction.arguments(topic.scenario.arguments))
    return topic.model_copy(
        update={
            "target": _redacted_part(topic.target),
            "companions": tuple(_redacted_part(part) for part in topic.companions),
            "scenario": topic.scenario.model_copy(update={"arguments": arguments}),
            "variants": tuple(_redacted_part(part) for part in topic.variants),
        }
    )


def _redacted_part[Part: (Target, Companion, Variant)](  # noqa: D103
    part: Part,
) -> Part:
    redacted_fields: dict[str, object] = {"env": redact(part.env)}
    for field in ("command", "prepare"):
        if text := getattr(part, field, None):
            redacted_fields[field] = redaction.command(text)
    if text := getattr(part, "url", None):
        redacted_fields["url"] = redaction.text(text)
    return part.model_copy(update=redacted_fields)


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
    """Return the commit of each folder, with a `+` if it has uncommitted changes."""
    commits = {}
    for name, folder in folders.items():
        commit = _git(folder, "rev-parse", "--short", "HEAD")
        if commit:
            changes = _git(folder, "status", "--porcelain")
            commits[name] = commit + ("+" if changes else "")
    return commits


def _sides(subject: Subject | None) -> dict[str, str]:
    """Return the two commits of a comparison, as `_commits` writes them."""
    if subject is None:
        return {}
    return {
        name: side.sha[:10] + ("+" if side.dirty else "")
        for name, side in (("base", subject.base), ("head", subject.head))
    }


def _git(folder: Path, *arguments: str) -> str:
    """Return the output of a git command; empty if it fails."""
    try:
        completed = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return completed.stdout.strip()
