"""Reads the settings of the load from Locust's own configuration.

`locust` reads `~/.locust.conf`, then `locust.conf` and `[tool.locust]` of
`pyproject.toml` in the working directory, then `LOCUST_…` variables. Later settings
override earlier ones. Settings of the load, such as the number of users, are needed
before a Locust process runs, so they are read here.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from assay.errors import InputError

# The options that Assay uses, and the environment variable of each.
SUPPORTED_OPTIONS = {
    "host": "LOCUST_HOST",
    "users": "LOCUST_USERS",
    "spawn-rate": "LOCUST_SPAWN_RATE",
    "run-time": "LOCUST_RUN_TIME",
}
# Options that the Locust process reads itself.
_READ_BY_LOCUST = frozenset({"tags", "exclude-tags", "locustfile", "config"})
# Options that do not change the load.
_IRRELEVANT = frozenset(
    {"headless", "headful", "autostart", "autoquit", "loglevel", "logfile", "html"}
    | {"csv", "csv-full-history", "json", "json-file", "only-summary", "print-stats"}
    | {"skip-log-setup", "web-host", "web-port", "show-task-ratio", "stop-timeout"}
)


# A key, then optionally a value and a comment.
_LINE = re.compile(r"([^\s:=;#]+)(?:\s*[:=]\s*|\s+|$)(\S.*?)?(?:\s+[;#].*)?")


class Configuration(dict[str, str]):
    """The settings of the load: the text of each option in `SUPPORTED_OPTIONS`.

    Attributes:
        ignored: Other keys that would change the load under Locust, each with the name
            of its file.
    """

    def __init__(self) -> None:
        """Create an empty configuration."""
        super().__init__()
        self.ignored: list[str] = []


def read(
    folder: Path, home: Path, environment: Mapping[str, str] | None = None
) -> Configuration:
    """Read the settings of the load that Locust would read.

    Args:
        folder: The working directory.
        home: The user's home folder.
        environment: The environment variables; this process's variables if None.

    Raises:
        InputError: A locust.conf cannot be read, a line in it is not an option, or
            `[tool.locust]` is not a table.
    """
    configuration = Configuration()
    for path in (home / ".locust.conf", folder / "locust.conf"):
        if path.is_file():
            _merge(configuration, _parse_lines(path), path)
    project = folder / "pyproject.toml"
    if project.is_file():
        _merge(configuration, _parse_table(project), project)
    variables = os.environ if environment is None else environment
    for key, variable in SUPPORTED_OPTIONS.items():
        if variables.get(variable):
            configuration[key] = variables[variable]
    return configuration


def _merge(
    configuration: Configuration, options: Mapping[str, str], path: Path
) -> None:
    for key, text in options.items():
        name = key.strip().lstrip("-").replace("_", "-")
        if name in SUPPORTED_OPTIONS:
            configuration[name] = text
        elif name not in _READ_BY_LOCUST | _IRRELEVANT:
            configuration.ignored.append(f"{name} ({path.name})")


def _parse_lines(path: Path) -> dict[str, str]:
    """Read `key = value`, `key: value`, `key value` or a key alone from each line.

    A key alone has the value `true`.

    Raises:
        InputError: The file cannot be read, or a line has another form.
    """
    options = {}
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text[0] in "#;[" or text.startswith("---"):
            continue
        parts = _LINE.fullmatch(text)
        if not parts:
            raise InputError(
                f"{path}:{number}: {line!r} is not an option; expected 'users = 20'"
            )
        options[parts[1]] = "true" if parts[2] is None else parts[2].strip("'\"")
    return options


def _parse_table(path: Path) -> dict[str, str]:
    """Read `[tool.locust]`; a file that cannot be read as TOML is ignored.

    Raises:
        InputError: `[tool.locust]` is not a table.
    """
    try:
        tool = tomllib.loads(path.read_text(encoding="utf-8-sig")).get("tool", {})
    except (OSError, ValueError, RecursionError):
        return {}
    options = tool.get("locust", {}) if isinstance(tool, dict) else {}
    if not isinstance(options, dict):
        raise InputError(
            f"{path}: tool.locust: expected a table, got {options!r}; write "
            "[tool.locust], and options such as users = 20 below it"
        )
    return {key: str(value) for key, value in options.items() if value is not None}
