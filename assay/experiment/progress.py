"""Show the progress of a run: a live table in a terminal, lines elsewhere.

The screen is drawn only between launches: a thread that redraws it during a slice would
disturb the measurement.
"""

import time
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from assay.plan import Plan, Preset, Topic
from assay.results import Comparison
from assay.system import redaction
from assay.wording import about, compared, one_line, percent, verdict_word

SHOWN_TESTS = 12  # number of tests of a suite


class Progress(Protocol):
    """Shows the progress of a run."""

    def topic(self, topic: Topic, looks: Sequence[int]) -> None:
        """Show that a topic begins; its verdicts are judged after `looks` launches."""

    def launch(self, number: int) -> None:
        """Show that a launch begins."""

    def measured(
        self, topic: Topic, counted: int, comparisons: Sequence[Comparison]
    ) -> None:
        """Show that a launch counts, and how the topic's comparisons stand."""

    def suite(
        self, topic: Topic, launch: int, comparisons: Sequence[Comparison]
    ) -> None:
        """Show that a launch of a suite ended, and how its tests stand."""

    def profiling(self, topic: Topic, variant: str, presets: Sequence[Preset]) -> None:
        """Show that profiles of a variant are taken."""

    def note(self, text: str) -> None:
        """Show any other text, in one line."""


class Quiet:
    """Shows nothing."""

    def topic(self, topic: Topic, looks: Sequence[int]) -> None:
        """Say nothing."""

    def launch(self, number: int) -> None:
        """Say nothing."""

    def measured(
        self, topic: Topic, counted: int, comparisons: Sequence[Comparison]
    ) -> None:
        """Say nothing."""

    def suite(
        self, topic: Topic, launch: int, comparisons: Sequence[Comparison]
    ) -> None:
        """Say nothing."""

    def profiling(self, topic: Topic, variant: str, presets: Sequence[Preset]) -> None:
        """Say nothing."""

    def note(self, text: str) -> None:
        """Say nothing."""


class Lines:
    """Plain lines, for a log: one after each launch."""

    def __init__(self, plan: Plan, console: Console) -> None:
        """Write to a console."""
        self._plan = plan
        self._console = console
        self._clock = _Clock(plan)

    def topic(self, topic: Topic, looks: Sequence[int]) -> None:
        """Say which topic begins."""
        self._clock.topic(topic, looks)
        self._say(f"{topic.name}: {topic.title}")

    def launch(self, number: int) -> None:
        """Say nothing; a line follows when the launch has ended."""

    def measured(
        self, topic: Topic, counted: int, comparisons: Sequence[Comparison]
    ) -> None:
        """Say how the topic's verdicts stand."""
        margin = percent(self._plan.settings.margin)
        parts = []
        for item in comparisons:
            part = f"{item.candidate}/{item.baseline} {item.metric} {compared(item)}"
            if needed := _needed(item):
                part += f" (to see {margin} takes {needed})"
            parts.append(part)
        left = self._clock.left(counted)
        line = f"launch {counted} (at most {left} left): " + "; ".join(parts)
        self._say(line, indent=2)

    def suite(
        self, topic: Topic, launch: int, comparisons: Sequence[Comparison]
    ) -> None:
        """Say how many tests have each verdict."""
        self._say(f"launch {launch}: {_tally(comparisons)}", indent=2)

    def profiling(self, topic: Topic, variant: str, presets: Sequence[Preset]) -> None:
        """Say which profiles are taken."""
        names = ", ".join(preset.name for preset in presets)
        self._say(f"profiling {variant}: {names}", indent=2)

    def note(self, text: str) -> None:
        """Print the text."""
        self._say(text, indent=2)

    def _say(self, text: str, indent: int = 0) -> None:
        line = Text(" " * indent + one_line(redaction.text(text)))
        self._console.print(line, soft_wrap=True, highlight=False)


class Screen:
    """A table that is redrawn after every launch."""

    def __init__(self, plan: Plan, console: Console) -> None:
        """Prepare the table; use as a context manager."""
        self._plan = plan
        self._clock = _Clock(plan)
        self._status = "starting"
        self._topic: Topic | None = None
        self._comparisons: dict[str, Sequence[Comparison]] = {}
        self._counted = 0
        self._looks: Sequence[int] = ()
        self._live = Live(
            self._draw(), console=console, auto_refresh=False, transient=True
        )

    def __enter__(self) -> "Screen":
        """Start the live display."""
        self._live.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        """Stop the live display."""
        self._live.__exit__(None, None, None)

    def topic(self, topic: Topic, looks: Sequence[int]) -> None:
        """Show which topic begins."""
        self._clock.topic(topic, looks)
        self._topic, self._looks, self._counted = topic, looks, 0
        self._show("starting its services")

    def launch(self, number: int) -> None:
        """Show which launch begins."""
        self._show(f"measuring launch {number}")

    def measured(
        self, topic: Topic, counted: int, comparisons: Sequence[Comparison]
    ) -> None:
        """Show how the comparisons stand."""
        self._counted, self._comparisons[topic.name] = counted, comparisons
        self._show(f"measured launch {counted}")

    def suite(
        self, topic: Topic, launch: int, comparisons: Sequence[Comparison]
    ) -> None:
        """Show the tests that look slowest."""
        self._counted = launch
        slowest = sorted(comparisons, key=lambda item: -(item.ratio or 0))
        self._comparisons[topic.name] = slowest[:SHOWN_TESTS]
        self._show(f"measured launch {launch}: {_tally(comparisons)}")

    def profiling(self, topic: Topic, variant: str, presets: Sequence[Preset]) -> None:
        """Show which profiles are taken."""
        names = " and ".join(preset.name for preset in presets)
        self._show(f"profiling {variant} ({names})")

    def note(self, text: str) -> None:
        """Print the text above the table."""
        shown = one_line(redaction.text(text))
        self._live.console.print(Text(shown), highlight=False)

    def _show(self, status: str) -> None:
        self._status = status
        self._live.update(self._draw(), refresh=True)

    def _draw(self) -> Table:
        name = self._topic.name if self._topic else ""
        table = Table(
            title=escape(f"{one_line(name)}  {one_line(self._status)}"),
            caption=self._caption(),
            title_justify="left",
            caption_justify="left",
            box=None,
            pad_edge=False,
            expand=False,
        )
        table.add_column("claim", overflow="ellipsis", no_wrap=True, max_width=44)
        table.add_column("metric", no_wrap=True)
        table.add_column("candidate / baseline", no_wrap=True)
        table.add_column("so far", no_wrap=True)
        table.add_column(f"to see {percent(self._plan.settings.margin)}", no_wrap=True)
        for topic_name, comparisons in self._comparisons.items():
            for item in comparisons:
                table.add_row(
                    escape(one_line(item.test or f"{topic_name}: {item.candidate}")),
                    escape(one_line(item.metric)),
                    escape(compared(item)),
                    verdict_word(item),
                    _needed(item),
                )
        return table

    def _caption(self) -> str:
        if not self._looks:
            return ""
        looks = ", ".join(map(str, self._looks))
        return (
            f"launch {self._counted} of at most {self._looks[-1]}, "
            f"verdicts after {looks}; at most {self._clock.left(self._counted)} left"
        )


class _Clock:
    """Estimates the longest time that a topic can still take."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self._budget = plan, plan.settings.time_budget
        self._began = time.monotonic()
        self._max_launches = 0

    def topic(self, topic: Topic, looks: Sequence[int]) -> None:
        self._budget = self._plan.time_budget(topic)
        self._began, self._max_launches = time.monotonic(), looks[-1]

    def left(self, counted: int) -> str:
        """Return the longest time that can be left, as minutes:seconds."""
        spent = time.monotonic() - self._began
        left = self._budget - spent
        if counted:
            left = min(left, spent / counted * (self._max_launches - counted))
        left = max(0, round(left))
        return f"{left // 60}:{left % 60:02d}"


def _needed(comparison: Comparison) -> str:
    """Return how long an undecided comparison most likely takes, if known."""
    if comparison.verdict != "undecided" or comparison.seconds_to_see is None:
        return ""
    return about(comparison.seconds_to_see)


def _tally(comparisons: Sequence[Comparison]) -> str:
    """Return how many tests have each verdict, such as ``3 same, 37 undecided``."""
    counts = Counter(str(item.verdict) for item in comparisons)
    words = ("slower", "faster", "same", "undecided")
    return ", ".join(f"{counts[word]} {word}" for word in words if counts[word])
