"""The claims.toml of a first topic, which has no variants and no claims yet."""

import json
from dataclasses import dataclass, field

from assay.wording import clean, one_line

LOCUSTFILE = "locustfile.py"

_EXAMPLE = """
# `assay run` compares variants of the target. Take the `#` away, and say what differs:
#
# [variants]
# before = { env = { FEATURE = "0" } }
# after  = { env = { FEATURE = "1" } }
#
# [[claims]]
# says      = "The feature makes requests take half as long"
# baseline  = "before"
# candidate = "after"
# metric    = "latency.mean"
# expect    = "<= 0.5"         # after / before
"""


@dataclass(frozen=True)
class FirstTarget:
    """How the target is started: the values for claims.toml.

    Attributes:
        command: The command; empty for a server that runs at `url`.
        url: The URL of a server that already runs; empty for a command.
        cwd: The working directory of the command, relative to the file's folder.
        ready: The path that answers 2xx once the server is ready.
        env: Environment variables of the command.
        needs: Names of the services that the target needs.
        prepare: A command that is run before the first launch; empty for none.
    """

    command: str = ""
    url: str = ""
    cwd: str = "."
    ready: str = "/"
    env: dict[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    prepare: str = ""


def render(title: str, target: FirstTarget) -> str:
    """Return the text of the claims.toml of a topic."""
    rows = (
        {"url": _text(target.url)}
        if target.url
        else {"command": _text(target.command), "cwd": _text(target.cwd)}
    )
    rows["ready"] = _text(target.ready)
    if target.needs:
        rows["needs"] = f"[{', '.join(map(_text, target.needs))}]"
    if target.prepare:
        rows["prepare"] = _text(target.prepare)
    if target.env:
        pairs = ", ".join(f"{_key(k)} = {_text(v)}" for k, v in target.env.items())
        rows["env"] = f"{{ {pairs} }}"
    width = max(map(len, rows))
    lines = [f"{key.ljust(width)} = {value}" for key, value in rows.items()]
    return (
        "# Written by `assay init`, and yours to change; `assay schema` has the keys.\n"
        f"title = {_text(one_line(title) or 'A first topic')}\n\n"
        "[target]\n" + "\n".join(lines) + "\n\n"
        f"[scenario]\nlocustfile = {_text(LOCUSTFILE)}\n{_EXAMPLE}"
    )


def _text(value: str) -> str:
    """Return a text as a TOML string, with all special characters escaped."""
    quoted = json.dumps(clean(value), ensure_ascii=False)
    return quoted.replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    bare = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if bare else _text(name)
