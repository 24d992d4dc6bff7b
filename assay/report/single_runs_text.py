"""The comparison of two single runs of pytest-benchmark, for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from assay.single_runs import SingleRunsResults, TestRatio
from assay.wording import counted, one_line, percent, quantity, significant

if TYPE_CHECKING:
    from rich.console import Console

WHY = (
    "One run of each side cannot tell a change from the noise between two processes, "
    "which is several per cent: with identical code, 15 to 26 % of tests were more "
    "than 5 % slower in one run than in another."
)
MARK = "worth measuring"


def render(results: SingleRunsResults, console: Console) -> None:
    """Print the ratio of each test, then what these ratios can and cannot show."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("test", overflow="fold", ratio=1)
    for name in ("base", "head", "ratio", "noise"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for one in results.tests:
        table.add_row(
            Text(one_line(one.test)),
            quantity(one.base, "s"),
            quantity(one.head, "s"),
            f"{significant(one.ratio)}×",
            f"±{percent(one.noise)}",
            Text(MARK if one.beyond else "", "bold"),
        )
    console.print(Text(f"base: {one_line(results.base)}"))
    console.print(Text(f"head: {one_line(results.head)}"))
    console.print(table)
    for line in (*left_out(results), *map(one_line, results.notes)):
        console.print(Text(line, "yellow"))
    for line in reasons(results):
        console.print(Text(line))
    command = f"To decide, type: {results.command}"
    console.print(Text(command), soft_wrap=True)  # so that it can be copied
    console.print(Text(answer(results), "bold"))


def answer(results: SingleRunsResults) -> str:
    """Return the result of the comparison in one sentence or two."""
    beyond = sum(one.beyond for one in results.tests)
    if beyond:
        lie = "lies" if beyond == 1 else "lie"
        return (
            f"{beyond} of {counted(len(results.tests), 'test')} {lie} beyond the noise "
            f"that is known: {MARK}, not decided."
        )
    if results.differences:
        return "Undecided: the noise between different machines is not known."
    if missing := {*results.only_base, *results.left_out}:
        return (
            f"Undecided: {counted(len(missing), 'test')} could not be compared; of the "
            "others, nothing lies beyond the noise that is known."
        )
    return (
        "Nothing lies beyond the noise that is known. Changes below "
        f"{_noise(results.tests)} cannot be seen here."
    )


def reasons(results: SingleRunsResults) -> list[str]:
    """Return why there is no verdict."""
    lines = [WHY]
    if results.differences:
        what = "; ".join(map(one_line, results.differences))
        lines.append(
            f"The two files come from different machines or Pythons ({what}), so a "
            "ratio may have another cause than the code."
        )
    runs = {one.runs for one in results.tests if one.runs}
    if runs:
        few, many = min(runs), max(runs)
        count = f"{few}" if few == many else f"{few} to {many}"
        lines.append(f"The noise is three times the scatter of {count} earlier runs.")
    return lines


def left_out(results: SingleRunsResults) -> list[str]:
    """Return the tests that were not compared, each with its reason."""
    lines = [f"only in {results.base}: {test}" for test in results.only_base]
    lines += [f"only in {results.head}: {test}" for test in results.only_head]
    lines += [f"left out: {test}: {why}" for test, why in results.left_out.items()]
    return [one_line(line) for line in lines]


def _noise(tests: tuple[TestRatio, ...]) -> str:
    """Return the smallest and the largest noise of the tests, in words."""
    least, most = (percent(choose(one.noise for one in tests)) for choose in (min, max))
    return least if least == most else f"{least} to {most} (by test)"
