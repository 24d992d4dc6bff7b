"""Writes waivers into perf/waivers.toml, without changes to other entries there."""

import json
import os
import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

from assay.errors import InputError
from assay.gating import Waiver
from assay.inputs.gates import read_waivers, waivers_file
from assay.inputs.toml_file import nearest
from assay.metrics import METRICS, OF_REQUEST
from assay.wording import clean, exact, one_line

MOST_TIMES = 1e6
_TOP = """\
# What may be slower for a while: `assay waive` writes these entries, and
# docs/ci.md of Assay explains them. Remove an entry when its reason is gone.
"""


def waiver(
    what: str,
    metric: str,
    ceiling: float,
    reason: str,
    until: date,
    topic: str,
    today: date,
) -> Waiver:
    """Check the parts of a waiver, and return it.

    Args:
        what: The node id of a benchmark, a request such as ``GET /item``, or the name
            of a topic.
        metric: The name of a metric.
        ceiling: How many times as slow it may be.
        reason: Why it may be slower.
        until: The last day on which the waiver counts.
        topic: The topic of the benchmark or request; empty for any topic.
        today: The day on which the waiver is written.

    Raises:
        InputError: A part is wrong; the message has every problem.
    """
    wrong = []
    is_test = "::" in what or (metric == OF_REQUEST and " " in what)
    if metric not in METRICS:
        wrong.append(f"METRIC: no metric {metric!r}{nearest(metric, list(METRICS))}")
    if not 1 < ceiling <= MOST_TIMES:
        wrong.append(
            f"--ceiling: expected more than 1 and at most {MOST_TIMES:,.0f}, such as "
            f"1.3 for 30 % slower, and not {exact(ceiling)}"
        )
    if not one_line(reason):
        wrong.append("--reason: expected the reason why it may be slower")
    if until < today:
        wrong.append(f"--until: {until} is past; expected a day from {today} on")
    if not what.strip() or clean(what) != what or "\n" in what or "\t" in what:
        wrong.append("TEST: expected a node id, a request or the name of a topic")
    elif topic and not is_test:
        wrong.append(
            f"TEST: expected the node id of a benchmark, such as "
            f"tests/test_io.py::test_read, with --topic, and not {what!r}"
        )
    if wrong:
        raise InputError("\n".join(wrong))
    return Waiver(
        topic=topic if is_test else what,
        test=what if is_test else "",
        metric=metric,
        ceiling=ceiling,
        reason=one_line(reason),
        until=until,
    )


def write(waiver: Waiver, here: Path) -> tuple[Path, bool]:
    """Add a waiver to the end of the file of waivers.

    An earlier waiver of the same topic, test and metric is removed.

    Args:
        waiver: The waiver.
        here: The working directory; see `waivers_file`.

    Returns:
        The file, and whether an earlier waiver was replaced.

    Raises:
        InputError: The file has mistakes, the earlier entry cannot be found in its
            text, or the file cannot be written.
    """
    file = waivers_file(here)
    messages: list[str] = []
    waivers = read_waivers(here, messages)
    if messages:
        raise InputError("\n".join(messages))
    same = [index for index, one in enumerate(waivers) if _key(one) == _key(waiver)]
    try:
        text = file.read_text(encoding="utf-8-sig") if file.exists() else _TOP
        replaced = text if not same else _without(text, same[0])
        if len(tomllib.loads(replaced).get("waivers", [])) != len(waivers) - len(same):
            raise InputError(
                f"{file}: the entry for {waiver.subject} ({waiver.metric}) cannot be "
                "replaced; edit its `until` by hand"
            )
        written = f"{replaced.rstrip()}\n\n{_block(waiver)}"
        tomllib.loads(written)
        file.parent.mkdir(exist_ok=True)
        part = file.with_name(file.name + ".part")
        part.write_text(written, encoding="utf-8")
        os.replace(part, file)
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: cannot be written: {error}") from error
    return file, bool(same)


def _block(waiver: Waiver) -> str:
    fields: dict[str, Any] = {"test": waiver.test, "topic": waiver.topic}
    lines = [f"{name} = {_quoted(text)}" for name, text in fields.items() if text]
    lines += [
        f"metric = {_quoted(waiver.metric)}",
        f"ceiling = {exact(waiver.ceiling)}",
        f"reason = {_quoted(waiver.reason)}",
        f"until = {waiver.until.isoformat()}",
    ]
    return "\n".join(["[[waivers]]", *lines, ""])


def _quoted(text: str) -> str:
    """Return a text as a string of TOML."""
    # Every JSON string is valid in TOML, unless it contains DEL.
    return json.dumps(text, ensure_ascii=False)


def _without(text: str, index: int) -> str:
    """Return the text of the file without one entry.

    Comments before the entry and before the next one stay. If the text has too few
    entries, it is returned unchanged.
    """
    lines = text.splitlines(keepends=True)
    headers = [
        number
        for number, line in enumerate(lines)
        if re.match(r"\s*\[\[\s*waivers\s*\]\]", line)
    ]
    if index >= len(headers):
        return text
    start = headers[index]
    end = headers[index + 1] if index + 1 < len(headers) else len(lines)
    # Comments and empty lines before the next entry belong to the next entry.
    while end > start + 1 and re.match(r"\s*(#.*)?$", lines[end - 1]):
        end -= 1
    return "".join([*lines[:start], *lines[end:]])


def _key(waiver: Waiver) -> tuple[str, str, str]:
    return waiver.topic, waiver.test, waiver.metric
