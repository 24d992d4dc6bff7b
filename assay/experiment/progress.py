"""What a person sees while Assay measures: live in a terminal, lines elsewhere.

The screen is drawn between launches only: a thread that redraws it during a slice would
disturb the measurement.
"""

import time
from collections.abc import Sequence
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from assay.plan import Plan, Preset, Topic
from assay.results import Comparison
from assay.wording import about, compared, one_line, percent, verdict_word


class Progress(Protocol):
    """Is told what happens in a run."""

    def topic(self, topic: Topic, looks: Sequence[int]) -> None:
        """Tell that a topic begins; its verdicts are judged after `looks` launches."""

    def launch(self, number: int) -> None:
        """Tell that a launch begins."""

    def measured(
        self, topic: Topic, counted: int, comparisons: Sequence[Comparison]
    ) -> None:
        """Tell that a launch counts, and how the topic's comparisons stand."""

    def profiling(self, topic: Topic, variant: str, presets: Sequence[Preset]) -> None:
        """Tell that profiles of a variant are taken."""

    def note(self, text: str) -> None:
        """Tell anything else, in one line."""


class Quiet:
    """Says nothing."""

    def topic(self, topic: Topic, looks: Sequence[int]) -> None:
        """Say nothing."""

    def launch(self, number: int) -> None:
        """Say nothing."""

    def measured(
        self, topic: Topic, counted: int, comparisons: Sequence[Comparison]
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

    def profiling(self, topic: Topic, variant: str, presets: Sequence[Preset]) -> None:
        """Say which profile is taken."""
        names = ", ".join(preset.name for preset in presets)
        self._say(f"profiling {variant}: {names}", indent=2)

    def note(self, text: str) -> None:
        """Print the text."""
        self._say(text, indent=2)

    def _say(self, text: str, indent: int = 0) -> None:
        line = Text(" " * indent + one_line(text))
        self._console.print(line, soft_wrap=True, highlight=False)


class Screen:
    """A table that is drawn anew after every launch."""

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

    def profiling(self, topic: Topic, variant: str, presets: Sequence[Preset]) -> None:
        """Show which profiles are taken."""
        names = " and ".join(preset.name for preset in presets)
        self._show(f"profiling {variant} ({names})")

    def note(self, text: str) -> None:
        """Print the text above the table."""
        self._live.console.print(Text(one_line(text)), highlight=False)

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
                    escape(one_line(f"{topic_name}: {item.candidate}")),
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
    """Estimates how long a topic can take at most."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self._budget = plan, plan.settings.time_budget
        self._began = time.monotonic()
        self._max_launches = 0

    def topic(self, topic: Topic, looks: Sequence[int]) -> None:
        self._budget = self._plan.time_budget(topic)
        self._began, self._max_launches = time.monotonic(), looks[-1]

    def left(self, counted: int) -> str:
        """Return the time left at most, as minutes:seconds."""
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
