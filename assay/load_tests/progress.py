"""Show the progress of a load test: a live table in a terminal, lines elsewhere."""

from __future__ import annotations

import math

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from assay.load.lateness import MAX_LATE_SHARE
from assay.load_plan import LoadPlan
from assay.load_tests.bounds import BUSY
from assay.load_tests.run import RECENT, Status
from assay.wording import fixed, quantity, significant

LINE_INTERVAL = 5.0  # seconds between two lines of a log
TABLE_ROWS = 12


class Quiet:
    """Shows nothing."""

    def update(self, status: Status) -> None:
        """Ignore the status."""


class Lines:
    """Plain lines, for a log."""

    def __init__(self, plan: LoadPlan, out: Console) -> None:
        """Write to a console."""
        self._plan, self._out = plan, out
        self._next = 0.0

    def update(self, status: Status) -> None:
        """Print the status as a line, every `LINE_INTERVAL` seconds."""
        if status.at >= self._next:
            self._next = status.at + LINE_INTERVAL
            self._out.print(Text(line(self._plan, status)), soft_wrap=True)
            for warning in warnings(status):
                self._out.print(Text(f"  {warning}"), soft_wrap=True)


class Screen:
    """A table of the last seconds, redrawn every second."""

    def __init__(self, plan: LoadPlan, out: Console) -> None:
        """Prepare the table; use the screen as a context manager."""
        self._plan = plan
        self._history: list[Status] = []
        self._live = Live(self._draw(), console=out, auto_refresh=False, transient=True)

    def __enter__(self) -> Screen:
        """Start the live display."""
        self._live.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop the live display."""
        self._live.__exit__(None, None, None)

    def update(self, status: Status) -> None:
        """Add the status to the table."""
        self._history = [*self._history, status][-TABLE_ROWS:]
        self._live.update(self._draw(), refresh=True)

    def _draw(self) -> Table:
        last = self._history[-1] if self._history else None
        table = Table(
            title=Text(f"{_test_name(self._plan)}  {_time(self._plan, last)}"),
            caption="\n".join(warnings(last)) if last else "",
            title_justify="left",
            caption_justify="left",
            caption_style="yellow",
            box=None,
            pad_edge=False,
        )
        for name in (
            *("time", "requests/s", "in flight", "waiting", "p50", "p99"),
            *("failed", "lag p99", "generator"),
        ):
            table.add_column(name, justify="right", no_wrap=True)
        for status in self._history:
            table.add_row(*_cells(status), style="" if status is last else "dim")
        return table


def line(plan: LoadPlan, status: Status) -> str:
    """Return the status as one line."""
    scheduled = ""
    if plan.open:
        from assay.load.shapes import Shape

        rate = Shape(plan.times, plan.rates).rate(min(status.at, plan.duration))
        scheduled = f" (scheduled: {significant(rate)})"
    waiting = f", {status.backlog:,} waiting" if status.backlog else ""
    dropped = f", {status.dropped:,} dropped" if status.dropped else ""
    return (
        f"{_time(plan, status)}: {significant(status.rate)} requests/s{scheduled}, "
        f"{status.in_flight} in flight{waiting}{dropped}, p50 {_seconds(status.p50)}, "
        f"p99 {_seconds(status.p99)}, {status.failed:,} failed in {RECENT} s; "
        f"generator late by {_seconds(status.lag_p99)}, "
        f"{status.generator_cpu:.0%} of a core"
    )


def warnings(status: Status) -> list[str]:
    """Return warnings that the generator is the limit instead of the server."""
    texts = []
    cpu, late = f"{status.generator_cpu:.0%}", f"{status.late_share:.0%}"
    if status.generator_cpu > BUSY:
        texts.append(f"! the generator uses {cpu} of a core: it is the limit")
    if status.late_share > MAX_LATE_SHARE:
        texts.append(
            f"! the generator is late for {late} of the arrivals: it may be the limit"
        )
    return texts


def _cells(status: Status) -> list[str]:
    return [
        _clock(status.at),
        significant(status.rate),
        fixed(status.in_flight, 0),
        fixed(status.backlog, 0),
        _seconds(status.p50),
        _seconds(status.p99),
        fixed(status.failed, 0),
        _seconds(status.lag_p99),
        f"{status.generator_cpu:.0%}",
    ]


def _test_name(plan: LoadPlan) -> str:
    return plan.host or plan.locustfile.name


def _time(plan: LoadPlan, status: Status | None) -> str:
    if status is None:
        return "starting"
    return f"{_clock(status.at)} of {_clock(plan.duration)}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def _seconds(value: float) -> str:
    return "–" if math.isnan(value) else quantity(value, "s")
