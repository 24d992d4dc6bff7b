"""Removes environment variables that would mix up checkouts or Pythons."""

import os
from collections.abc import Mapping

# What git needs to reach a remote and to read the user's settings. All other GIT_*
# variables would move it to another repository, index or object store.
_SAFE: tuple[str, ...] = (
    "GIT_SSL_",
    "GIT_SSH",
    "GIT_HTTP_",
    "GIT_PROXY_",
    "GIT_ASKPASS",
)
_SAFE += ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM")
_SAFE += ("GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_")
_SAFE += ("GIT_CEILING_DIRECTORIES", "GIT_DISCOVERY_ACROSS_FILESYSTEM")
# Variables that would make Python use another environment than the intended one.
_OF_ANOTHER_PYTHON = (
    "VIRTUAL_ENV",
    "VIRTUAL_ENV_PROMPT",
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "PYTHONSAFEPATH",
    "PYTHONUSERBASE",
    "PYTHONPYCACHEPREFIX",
    "__PYVENV_LAUNCHER__",
    "CONDA_PREFIX",
    "CONDA_DEFAULT_ENV",
)


def scrubbed(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables without those that point to another repository or Python.

    Of git's variables, only those that are needed for remotes and settings stay. The
    programs of an active virtual environment are removed from PATH.
    """
    kept = {
        name: value
        for name, value in variables.items()
        if name not in _OF_ANOTHER_PYTHON
        and (not name.startswith("GIT_") or name.startswith(_SAFE))
    }
    if active := variables.get("VIRTUAL_ENV"):
        programs = os.path.join(active, "bin")
        folders = kept.get("PATH", "").split(os.pathsep)
        kept["PATH"] = os.pathsep.join(
            folder for folder in folders if folder.rstrip("/") != programs
        )
    return kept
