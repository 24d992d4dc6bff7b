"""Runs the commands that build an environment, with their output in a log."""

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from assay.errors import MeasureError
from assay.subject.variables import scrubbed
from assay.system import processes, redaction
from assay.wording import clean, one_line

_SHOWN_LINES = 15
_POLL_SECONDS = 0.2
# Settings that would make pip or uv use another environment than the one being built.
_MISLEADING: tuple[str, ...] = (
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_ROOT",
    "PIP_USER",
    "PIP_PYTHON",
)
_MISLEADING += ("PIP_REQUIRE_VIRTUALENV", "PIP_EDITABLE", "PIP_REQUIREMENT")
_MISLEADING += ("UV_PYTHON", "UV_SYSTEM_PYTHON", "UV_PROJECT_ENVIRONMENT")
_MISLEADING += ("UV_PROJECT", "UV_WORKING_DIR", "UV_WORKING_DIRECTORY", "UV_TARGET")


class BuildError(MeasureError):
    """A command of a build failed.

    Attributes:
        output: All that the command wrote, without secrets.
    """

    def __init__(self, message: str, output: str) -> None:
        """Keep the output of the command."""
        super().__init__(message)
        self.output = output


@dataclass(frozen=True)
class Build:
    """The build of one environment.

    Attributes:
        what: What is built, for messages: ``the environment of uv.lock``.
        log: The file that gets the commands and their output.
        folder: The working directory of the commands.
        more: Further environment variables.
    """

    what: str
    log: Path
    folder: Path
    more: Mapping[str, str]

    def run(self, *command: str | os.PathLike[str]) -> None:
        """Run a command until it ends.

        Raises:
            MeasureError: The command cannot be started.
            BuildError: The command failed. The message has the command, the last lines
                of its output and the path of the log, without secrets.
        """
        words = [os.fspath(word) for word in command]
        shown = shlex.join(redaction.arguments(words))
        # The output can show secrets of an index. So it goes to another file first, and
        # the log gets it without the secrets.
        raw = self.log.with_suffix(".raw")
        raw.unlink(missing_ok=True)
        child = processes.start(
            one_line(self.what),
            words,
            log=raw,
            cwd=self.folder,
            env={**build_variables(), **self.more},
        )
        try:
            while not child.wait(_POLL_SECONDS):
                pass
        finally:
            child.stop()
            output = redaction.text(raw.read_text(encoding="utf-8", errors="replace"))
            with self.log.open("a", encoding="utf-8") as log:
                log.write(f"$ {shown}\n{output}\n")
            raw.unlink(missing_ok=True)
        if code := child.exit_code():
            raise BuildError(self._failed(shown, code, output), output)

    def _failed(self, shown: str, code: int, output: str) -> str:
        lines = [line.rstrip() for line in clean(output).splitlines() if line.strip()]
        last = "\n".join(f"    {line}" for line in lines[-_SHOWN_LINES:])
        how = f"exit code {code}" if code > 0 else f"signal {-code}"
        return (
            f"{one_line(self.what)} could not be built ({how}):\n"
            f"    $ {one_line(shown)}\n{last or '    (it wrote nothing)'}\n"
            f"    the whole log: {self.log}\n"
            '    to build it in another way: assay compare --build "COMMAND"'
        )


def build_variables() -> dict[str, str]:
    """Return the variables of a build, with the user's settings for package indexes."""
    kept = scrubbed(os.environ)
    for name in _MISLEADING:
        kept.pop(name, None)
    return {**kept, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}


def find_uv() -> list[str]:
    """Return the words that start uv; an empty list if uv is not installed.

    A uv on PATH is preferred to the one that is installed beside Assay.
    """
    if uv := shutil.which("uv", path=build_variables().get("PATH")):
        return [uv]
    beside = Path(sys.executable).with_name("uv")
    return [os.fspath(beside)] if beside.is_file() else []
