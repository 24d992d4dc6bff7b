"""What Locust's own configuration says of a load: files and environment variables.

`locust` reads `~/.locust.conf`, `locust.conf` and `[tool.locust]` of `pyproject.toml`
in the working directory, then `LOCUST_…` variables; the later one wins. What comes
before the load, such as users, is needed before a Locust process runs, so it is read
here.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from assay.errors import InputError

# What of it has a say, and the variable that says it too.
SUPPORTED_OPTIONS = {
    "host": "LOCUST_HOST",
    "users": "LOCUST_USERS",
    "spawn-rate": "LOCUST_SPAWN_RATE",
    "run-time": "LOCUST_RUN_TIME",
}
# What the Locust process reads itself, and what says nothing of the load.
_PASSED = frozenset({"tags", "exclude-tags", "locustfile", "config"})
_SILENT = frozenset(
    {"headless", "headful", "autostart", "autoquit", "loglevel", "logfile", "html"}
    | {"csv", "csv-full-history", "json", "json-file", "only-summary", "print-stats"}
    | {"skip-log-setup", "web-host", "web-port", "show-task-ratio", "stop-timeout"}
)


# A key, then what it is set to, and perhaps a comment.
_LINE = re.compile(r"([^\s:=;#]+)(?:\s*[:=]\s*|\s+|$)(\S.*?)?(?:\s+[;#].*)?")


class Configuration(dict[str, str]):
    """What is said of the load: a key of `SUPPORTED_OPTIONS` to its text.

    Attributes:
        ignored: Other keys that would change the load under Locust, with their file.
    """

    def __init__(self) -> None:
        """Begin with nothing said."""
        super().__init__()
        self.ignored: list[str] = []


def read(
    folder: Path, home: Path, environment: Mapping[str, str] | None = None
) -> Configuration:
    """Read what Locust would.

    Args:
        folder: The working directory.
        home: The user's own folder.
        environment: The variables; this process's if None.

    Raises:
        InputError: A file cannot be understood.
    """
    found = Configuration()
    for path in (home / ".locust.conf", folder / "locust.conf"):
        if path.is_file():
            _take(found, _lines(path), path)
    project = folder / "pyproject.toml"
    if project.is_file():
        _take(found, _table(project), project)
    variables = os.environ if environment is None else environment
    for key, variable in SUPPORTED_OPTIONS.items():
        if variables.get(variable):
            found[key] = variables[variable]
    return found


def _take(found: Configuration, said: Mapping[str, str], path: Path) -> None:
    for key, text in said.items():
        name = key.strip().lstrip("-").replace("_", "-")
        if name in SUPPORTED_OPTIONS:
            found[name] = text
        elif name not in _PASSED | _SILENT:
            found.ignored.append(f"{name} ({path.name})")


def _lines(path: Path) -> dict[str, str]:
    """Read `key = value`, `key: value`, `key value` or a key alone, line by line.

    Raises:
        InputError: A line is none of these.
    """
    said = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text[0] in "#;[" or text.startswith("---"):
            continue
        parts = _LINE.fullmatch(text)
        if not parts:
            raise InputError(
                f"{path}:{number}: {line!r} says nothing; expected 'users = 20'"
            )
        said[parts[1]] = "true" if parts[2] is None else parts[2].strip("'\"")
    return said


def _table(path: Path) -> dict[str, str]:
    """Read `[tool.locust]`; a file that is no TOML is somebody else's to mend."""
    try:
        tool = tomllib.loads(path.read_text(encoding="utf-8")).get("tool", {})
    except (OSError, ValueError):
        return {}
    said = tool.get("locust", {}) if isinstance(tool, dict) else {}
    return {key: str(value) for key, value in said.items() if value is not None}
