"""The terminal tables of `assay services`, `assay doctor` and `assay profile`."""

import contextlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from assay import wording
from assay.results import Profile, Stacks

STYLES = {"good": "green", "poor": "yellow", "bad": "red", "yes": "green", "no": "red"}
MAX_FUNCTIONS = 15
BELOW_ROW = ("advice",)
ONLY_IN_JSON = ("value", "unit")  # the table has them in a sentence


def render(rows: Sequence[Mapping[str, object]], console: Console) -> None:
    """Print rows with the same keys as one table, without empty columns.

    Advice is printed below its row, so that a narrow terminal has room for both.
    """
    table = Table(box=None, pad_edge=False, show_header=True, header_style="bold")
    columns = [
        key
        for key in (rows[0] if rows else ())
        if key not in BELOW_ROW + ONLY_IN_JSON and any(row[key] != "" for row in rows)
    ]
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        cells = []
        for column in columns:
            value = row[column]
            text = ("yes" if value else "no") if isinstance(value, bool) else str(value)
            cells.append(Text(wording.clean(text), style=STYLES.get(text, "")))
        for key in BELOW_ROW:
            if row.get(key):
                cells[-1].append(f"\n→ {wording.clean(str(row[key]))}", style="italic")
        table.add_row(*cells)
    console.print(table)


@contextlib.contextmanager
def status(console: Console) -> Iterator[Callable[[str], None]]:
    """Yield a function that shows the current activity on one line of a terminal.

    The line is redrawn only when the function is called: a spinner would disturb the
    measurement.
    """
    if not console.is_terminal:
        yield lambda activity: None
        return
    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield lambda activity: live.update(Text(f"{activity} …", "dim"), refresh=True)


def render_profile(profile: Profile, console: Console) -> None:
    """Print the most expensive functions of a profile, or its memory over time."""
    console.print(
        Text(f"{profile.variant}: {profile.preset}, {profile.requests} requests"),
        style="bold",
    )
    if isinstance(profile, Stacks):
        cost_by_function: defaultdict[str, float] = defaultdict(float)
        for stack, value in profile.stacks:
            cost_by_function[stack[-1]] += value
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("own, per request", justify="right", no_wrap=True)
        table.add_column("share", justify="right")
        table.add_column("function", overflow="fold")
        most_expensive = sorted(cost_by_function.items(), key=lambda item: -item[1])
        for frame, value in most_expensive[:MAX_FUNCTIONS]:
            table.add_row(
                wording.quantity(value, profile.unit),
                f"{value / profile.total:.0%}",
                Text(wording.clean(frame)),
            )
        console.print(table)
    elif profile.values:
        first, last = profile.values[0], profile.values[-1]
        console.print(
            f"  first {wording.quantity(first, profile.unit)}, "
            f"at most {wording.quantity(max(profile.values), profile.unit)}, "
            f"last {wording.quantity(last, profile.unit)}"
        )
    for note in profile.notes:
        console.print(Text(f"  {wording.clean(note)}", style="dim"))
