"""What to record of a machine so that a number can be judged later."""

import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import psutil

from assay import processes
from assay.plan import Plan, Topic

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
SECRET = re.compile(r"pass|secret|token|key|credential|auth", re.IGNORECASE)
USER_INFO = re.compile(r"(?<=://)[^/@\s]*@")


def describe(plan: Plan) -> dict[str, object]:
    """Return the machine, the versions and the commits of a run."""
    cores = processes.split_cores()
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
        "commits": _commits(plan.topics),
    }


def redacted(plan: Plan) -> Plan:
    """Return the plan without what must not be shown: passwords and keys."""
    return plan.model_copy(
        update={
            "topics": tuple(
                topic.model_copy(
                    update={
                        "target": topic.target.model_copy(
                            update={"env": redact(topic.target.env)}
                        ),
                        "variants": tuple(
                            v.model_copy(update={"env": redact(v.env)})
                            for v in topic.variants
                        ),
                    }
                )
                for topic in plan.topics
            )
        }
    )


def redact(env: dict[str, str]) -> dict[str, str]:
    """Return an environment with secrets, and users in URLs, replaced by `***`."""
    return {
        name: "***" if SECRET.search(name) else USER_INFO.sub("***@", value)
        for name, value in env.items()
    }


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


def _commits(topics: Iterable[Topic]) -> dict[str, str]:
    """Return the commit of each topic's folder, `+` for uncommitted changes."""
    found = {}
    for topic in topics:
        commit = _git(topic.folder, "rev-parse", "--short", "HEAD")
        if commit:
            changed = _git(topic.folder, "status", "--porcelain")
            found[topic.name] = commit + ("+" if changed else "")
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
