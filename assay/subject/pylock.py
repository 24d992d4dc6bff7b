"""Rewrites a pylock.toml without the packages of the checkout itself."""

import json
import os
from collections.abc import Mapping
from datetime import date, time
from pathlib import Path
from typing import Any


def has_folders(lock: Mapping[str, Any]) -> bool:
    """Return whether a lock file takes packages from folders."""
    return any("directory" in package for package in lock.get("packages", ()))


def without_folders(lock: Mapping[str, Any], folder: Path) -> str:
    """Return the text of a lock file without the packages that it takes from folders.

    Args:
        lock: The content of a pylock.toml.
        folder: Its folder. Paths in the text are absolute, so that the text can be
            written anywhere.
    """
    kept = [package for package in lock["packages"] if "directory" not in package]
    content = {**lock, "packages": _with_absolute_paths(kept, folder)}
    return "".join(f"{key} = {_toml(value)}\n" for key, value in content.items())


def _with_absolute_paths(value: Any, folder: Path) -> Any:
    if isinstance(value, list):
        return [_with_absolute_paths(item, folder) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: (
            os.path.abspath(folder / item)
            if key == "path" and isinstance(item, str)
            else _with_absolute_paths(item, folder)
        )
        for key, item in value.items()
    }


def _toml(value: Any) -> str:
    """Return a value as TOML, in one line."""
    if isinstance(value, Mapping):
        pairs = [f"{_quoted(key)} = {_toml(item)}" for key, item in value.items()]
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return _quoted(value)
    return value.isoformat() if isinstance(value, date | time) else str(value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
