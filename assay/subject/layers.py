"""Makes layers: virtual environments that also see the packages of another one.

A layer begins as an empty virtual environment, which is quickly made. Its own packages
come first on `sys.path`, and those of the environment below it follow. So both sides
import their dependencies from the same files, while each has its own project.
"""

import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path

from assay.subject.builds import Build

_PTH = "assay_layers.pth"
_LONGEST_SHEBANG = 127  # characters: the limit of the oldest kernels in use
_NOT_COPIED = re.compile(r"python|pip|activate|deactivate|Activate|pydoc|easy_install")


def make(build: Build, base: Path, folder: Path, below: Sequence[Path]) -> Path:
    """Make a virtual environment without packages of its own; return its interpreter.

    Args:
        build: Runs the commands.
        base: The interpreter that makes the environment.
        folder: The new folder of the environment.
        below: Folders of packages that the environment also sees, in the order of
            `sys.path`.
    """
    build.run(base, "-I", "-m", "venv", "--without-pip", folder)
    python = folder / "bin" / "python"
    if below:
        # A line with only a path would add the folder, too, but Python would not read
        # the .pth files in it.
        text = "".join(
            f"import site; site.addsitedir({os.fspath(place)!a})\n" for place in below
        )
        packages_in(folder).joinpath(_PTH).write_text(text, encoding="ascii")
    return python


def copy_programs(source: Path, target: Path) -> None:
    """Give a layer the programs of the environment below it.

    A script names the interpreter of that environment, which does not see the packages
    of the layer. So its copy names the interpreter of the layer. Other programs are
    linked. Python, pip and programs that the layer already has are left out.

    Args:
        source: The ``bin`` folder of the environment below.
        target: The ``bin`` folder of the layer.
    """
    for file in sorted(source.iterdir()):
        place = target / file.name
        if _NOT_COPIED.match(file.name) or os.path.lexists(place) or not file.is_file():
            continue
        content = file.read_bytes()
        changed = _with_interpreter(content, source, target)
        if changed is None:
            place.symlink_to(file)
            continue
        place.write_bytes(changed)
        place.chmod(stat.S_IMODE(file.stat().st_mode))


def _with_interpreter(content: bytes, source: Path, target: Path) -> bytes | None:
    """Return a script with the interpreter of another folder.

    None if the content does not start with an interpreter of `source`.
    """
    old = os.fsencode(source) + b"/python"
    new = os.fsencode(target) + b"/python"
    first, newline, rest = content.partition(b"\n")
    if first.startswith(b"#!" + old):
        interpreter = new + first.removeprefix(b"#!" + old)
        if b" " in new or len(interpreter) + 2 > _LONGEST_SHEBANG:
            # pip and uv also write this if the kernel cannot read the path.
            trampoline = b"#!/bin/sh\n'''exec' \"%b\" \"$0\" \"$@\"\n' '''\n"
            return trampoline % interpreter + rest
        return b"#!" + interpreter + newline + rest
    head, end = content[:1000], content[1000:]
    if head.startswith(b"#!/bin/sh\n'''exec'") and old in head:
        return head.replace(old, new) + end
    return None


def packages_in(folder: Path) -> Path:
    """Return the ``site-packages`` folder of a virtual environment."""
    return next((folder / "lib").glob("*/site-packages"))
