"""The environment of child processes, without what would mix checkouts or Pythons."""

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
# Variables of Python that would lead it to another environment than the one meant.
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
    """Return an environment without what belongs to another checkout or Python.

    Without variables of git (but for those that reach a remote), and without those of
    an active virtual environment, whose programs are removed from PATH, too.
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
