"""Virtual environments that lie on others and see their packages.

A layer is an empty virtual environment, made in a moment. Its own packages come first
on `sys.path`; those of the environments below it follow. So two sides share packages
of others, byte for byte and path for path, while each has its own project.
"""

import os
import re
import stat
from collections.abc import Sequence
from pathlib import Path

from assay.subject.builds import Build

_PTH = "assay_layers.pth"
_LONGEST_SHEBANG = 127  # characters, as the oldest kernels in use have it
_NOT_COPIED = re.compile(r"python|pip|activate|deactivate|Activate|pydoc|easy_install")


def make(build: Build, base: Path, folder: Path, below: Sequence[Path]) -> Path:
    """Make a virtual environment without packages of its own; return its interpreter.

    Args:
        build: Runs the commands.
        base: The interpreter that it is made with.
        folder: Where it is made.
        below: Folders of packages that it sees, the most important first.
    """
    build.run(base, "-I", "-m", "venv", "--without-pip", folder)
    python = folder / "bin" / "python"
    if below:
        # A path alone on a line would be added, too, but the .pth files in it would
        # not be read.
        text = "".join(
            f"import site; site.addsitedir({os.fspath(place)!a})\n" for place in below
        )
        packages_in(folder).joinpath(_PTH).write_text(text, encoding="ascii")
    return python


def copy_programs(source: Path, target: Path) -> None:
    """Give a layer the programs of the environment below it.

    Each of them starts with the path of its interpreter, which would not see the
    packages of the layer.

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
    """Return a script that starts with another interpreter; None if it is no script."""
    old = os.fsencode(source) + b"/python"
    new = os.fsencode(target) + b"/python"
    first, newline, rest = content.partition(b"\n")
    if first.startswith(b"#!" + old):
        interpreter = new + first.removeprefix(b"#!" + old)
        if b" " in new or len(interpreter) + 2 > _LONGEST_SHEBANG:
            # What pip and uv write where the kernel cannot read the path.
            trampoline = b"#!/bin/sh\n'''exec' \"%b\" \"$0\" \"$@\"\n' '''\n"
            return trampoline % interpreter + rest
        return b"#!" + interpreter + newline + rest
    head, end = content[:1000], content[1000:]
    if head.startswith(b"#!/bin/sh\n'''exec'") and old in head:
        return head.replace(old, new) + end
    return None


def packages_in(folder: Path) -> Path:
    """Return the folder of the packages of a virtual environment."""
    return next((folder / "lib").glob("*/site-packages"))
