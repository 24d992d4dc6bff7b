"""What a person sees while a load test runs: live in a terminal, lines elsewhere."""

from __future__ import annotations

import math

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from assay.load.lateness import OFTEN
from assay.load_plan import LoadPlan
from assay.load_tests.bounds import BUSY
from assay.load_tests.run import RECENT, News
from assay.wording import fixed, quantity, significant

EVERY = 5.0  # seconds between two lines of a log
HISTORY = 12


class Quiet:
    """Says nothing."""

    def heard(self, news: News) -> None:
        """Take how it stands, and forget it."""


class Lines:
    """Plain lines, for a log."""

    def __init__(self, plan: LoadPlan, out: Console) -> None:
        """Write to a console."""
        self._plan, self._out = plan, out
        self._next = 0.0

    def heard(self, news: News) -> None:
        """Say how it stands, now and then."""
        if news.at >= self._next:
            self._next = news.at + EVERY
            self._out.print(Text(line(self._plan, news)), soft_wrap=True)
            for warning in warnings(news):
                self._out.print(Text(f"  {warning}"), soft_wrap=True)


class Screen:
    """The last seconds as a table, drawn anew once a second."""

    def __init__(self, plan: LoadPlan, out: Console) -> None:
        """Prepare; use as a context manager."""
        self._plan = plan
        self._news: list[News] = []
        self._live = Live(self._draw(), console=out, auto_refresh=False, transient=True)

    def __enter__(self) -> Screen:
        """Take the screen."""
        self._live.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        """Give the screen back."""
        self._live.__exit__(None, None, None)

    def heard(self, news: News) -> None:
        """Draw how it stands."""
        self._news = [*self._news, news][-HISTORY:]
        self._live.update(self._draw(), refresh=True)

    def _draw(self) -> Table:
        last = self._news[-1] if self._news else None
        table = Table(
            title=Text(f"{_where(self._plan)}  {_time(self._plan, last)}"),
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
        for news in self._news:
            table.add_row(*_cells(news), style="" if news is last else "dim")
        return table


def line(plan: LoadPlan, news: News) -> str:
    """Return how it stands in one line."""
    asked = ""
    if plan.open:
        from assay.load.shapes import Shape

        due = Shape(plan.times, plan.rates).rate(min(news.at, plan.duration))
        asked = f" (asked for {significant(due)})"
    waiting = f", {news.backlog:,} waiting" if news.backlog else ""
    dropped = f", {news.dropped:,} dropped" if news.dropped else ""
    return (
        f"{_time(plan, news)}: {significant(news.rate)} requests/s{asked}, "
        f"{news.in_flight} in flight{waiting}{dropped}, p50 {_seconds(news.p50)}, "
        f"p99 {_seconds(news.p99)}, {news.failed:,} failed in {RECENT} s; generator "
        f"late by {_seconds(news.lag_p99)}, {news.generator:.0%} of a core"
    )


def warnings(news: News) -> list[str]:
    """Return what says that the generator is the limit, and not the server."""
    found = []
    if news.generator > BUSY:
        found.append(
            f"! the generator uses {news.generator:.0%} of a core: it is the limit"
        )
    if news.late > OFTEN:
        found.append(
            f"! the generator is late for {news.late:.0%} of the arrivals: it may be "
            "the limit"
        )
    return found


def _cells(news: News) -> list[str]:
    return [
        _clock(news.at),
        significant(news.rate),
        fixed(news.in_flight, 0),
        fixed(news.backlog, 0),
        _seconds(news.p50),
        _seconds(news.p99),
        fixed(news.failed, 0),
        _seconds(news.lag_p99),
        f"{news.generator:.0%}",
    ]


def _where(plan: LoadPlan) -> str:
    return plan.host or plan.locustfile.name


def _time(plan: LoadPlan, news: News | None) -> str:
    if news is None:
        return "starting"
    return f"{_clock(news.at)} of {_clock(plan.duration)}"


def _clock(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60}:{whole % 60:02d}"


def _seconds(value: float) -> str:
    return "–" if math.isnan(value) else quantity(value, "s")
