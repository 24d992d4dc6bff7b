"""Runs git so that only the arguments decide what git does.

A hook or an editor that starts Assay can set GIT_DIR and similar variables. With them,
git would work on another repository than the one that Assay means. Settings of the user
can start a pager, a hook or another program. All of these are switched off here.
"""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from assay.errors import AssayError, InputError
from assay.subject.variables import scrubbed
from assay.system import redaction
from assay.wording import one_line

_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.safecrlf=false",
    "core.quotePath=true",
    "gc.auto=0",
    "maintenance.auto=false",
    "advice.addEmbeddedRepo=false",
    "advice.detachedHead=false",
    "submodule.recurse=false",
)


class GitError(AssayError):
    """A call of git that failed.

    Attributes:
        code: The exit code of git.
        stderr: What git wrote to standard error, on one line, without secrets.
    """

    def __init__(self, command: str, code: int, stderr: str) -> None:
        """Keep the exit code and the error output of the failed call."""
        super().__init__(f"git {command}: {stderr or f'exit code {code}'}")
        self.code = code
        self.stderr = stderr


def variables() -> dict[str, str]:
    """Return the environment that git is called with."""
    return {
        **scrubbed(os.environ),
        "LC_ALL": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_PAGER": "cat",
        # Without this, `git status` may rewrite the index of the user's repository.
        "GIT_OPTIONAL_LOCKS": "0",
        # Ignore the user's replace refs, because the checkouts of Assay lack them.
        "GIT_NO_REPLACE_OBJECTS": "1",
        # In a path, `*` is an ordinary character.
        "GIT_LITERAL_PATHSPECS": "1",
    }


def command(*arguments: str | bytes) -> list[str | bytes]:
    """Return the words of a git command with the settings that keep it harmless."""
    settings = [word for setting in _SETTINGS for word in ("-c", setting)]
    return ["git", "--no-pager", *settings, *arguments]


def run(
    folder: Path,
    *arguments: str | bytes,
    feed: bytes | None = None,
    more: Mapping[str, str] | None = None,
) -> bytes:
    """Run git in a folder and return what it wrote to standard output.

    Args:
        folder: The working directory.
        arguments: The words after ``git``.
        feed: Standard input; empty if None.
        more: Further environment variables.

    Raises:
        GitError: git ended with an exit code other than 0.
        InputError: There is no git, or the folder cannot be entered.
    """
    try:
        done = subprocess.run(
            command(*arguments),
            cwd=folder,
            env={**variables(), **(more or {})},
            input=feed or b"",
            capture_output=True,
            check=False,
        )
    except FileNotFoundError as error:
        if not folder.is_dir():
            raise InputError(f"{folder}: there is no such folder") from error
        raise InputError(
            "git was not found on PATH; install it (on Debian: apt-get install git)"
        ) from error
    except (OSError, ValueError) as error:  # ValueError: a null character
        raise InputError(f"git cannot be called in {folder}: {error}") from error
    if done.returncode:
        stderr = one_line(redaction.text(done.stderr.decode("utf-8", "replace")))
        stderr = stderr.removeprefix("fatal: ")
        raise GitError(os.fsdecode(arguments[0]), done.returncode, stderr)
    return done.stdout


def line(folder: Path, *arguments: str | bytes) -> str:
    """Run git and return its output as one path or name, without the last newline."""
    return os.fsdecode(run(folder, *arguments).removesuffix(b"\n"))


def quoted(path: Path) -> str:
    """Return a path as git reads it in a list of object stores.

    The path is quoted, because a colon or a newline would otherwise end it in the list.
    """
    text = "".join(
        chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\{byte:03o}"
        for byte in os.fsencode(path)
    )
    return f'"{text}"'
