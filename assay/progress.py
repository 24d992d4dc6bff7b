"""What a person sees while Assay measures: live in a terminal, lines elsewhere.

The screen is drawn between launches only: a thread that redraws it while a slice
runs would be a disturbance of our own making.
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


class Progress(Protocol):
    """Takes news of a run."""

    def topic(self, topic: Topic, looks: Sequence[int]) -> None:
        """A topic begins; its verdicts are looked at after these launches."""

    def launch(self, number: int) -> None:
        """A launch begins."""

    def measured(
        self, topic: Topic, counted: int, compared: Sequence[Comparison]
    ) -> None:
        """A launch has been kept: this is how its topic's comparisons stand."""

    def profiling(self, topic: Topic, variant: str, presets: Sequence[Preset]) -> None:
        """Profiles of a variant are taken."""

    def note(self, text: str) -> None:
        """Something worth a line."""


class Lines:
    """Plain lines, for a log: one for each launch's end."""

    def __init__(self, plan: Plan, console: Console) -> None:
        """Write to a console."""
        self._plan = plan
        self._console = console
        self._clock = _Clock(plan)

    def topic(self, topic: Topic, looks: Sequence[int]) -> None:
        """Say which topic begins."""
        self._clock.topic(looks)
        self._say(f"{topic.name}: {topic.title}")

    def launch(self, number: int) -> None:
        """Say nothing: its end says more."""

    def measured(
        self, topic: Topic, counted: int, compared: Sequence[Comparison]
    ) -> None:
        """Say how the topic's verdicts stand."""
        parts = [
            f"{c.candidate}/{c.baseline} {c.metric} {interval_text(c)}"
            for c in compared
        ]
        left = self._clock.left(counted)
        self._say(f"  launch {counted} ({left} left at most): " + "; ".join(parts))

    def profiling(self, topic: Topic, variant: str, presets: Sequence[Preset]) -> None:
        """Say which profile is taken."""
        names = ", ".join(preset.name for preset in presets)
        self._say(f"  profiling {variant}: {names}")

    def note(self, text: str) -> None:
        """Say it."""
        self._say(f"  {text}")

    def _say(self, text: str) -> None:
        self._console.print(Text(text), soft_wrap=True, highlight=False)


class Screen:
    """A table that is drawn anew after every launch."""

    def __init__(self, plan: Plan, console: Console) -> None:
        """Prepare; use as a context manager."""
        self._plan = plan
        self._clock = _Clock(plan)
        self._status = "starting"
        self._topic: Topic | None = None
        self._compared: dict[str, Sequence[Comparison]] = {}
        self._counted = 0
        self._looks: Sequence[int] = ()
        self._live = Live(
            self._draw(), console=console, auto_refresh=False, transient=True
        )

    def __enter__(self) -> "Screen":
        """Take the screen."""
        self._live.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        """Give the screen back."""
        self._live.__exit__(None, None, None)

    def topic(self, topic: Topic, looks: Sequence[int]) -> None:
        """A topic begins."""
        self._clock.topic(looks)
        self._topic, self._looks, self._counted = topic, looks, 0
        self._show("starting its services")

    def launch(self, number: int) -> None:
        """A launch begins."""
        self._show(f"measuring launch {number}")

    def measured(
        self, topic: Topic, counted: int, compared: Sequence[Comparison]
    ) -> None:
        """A launch has been kept."""
        self._counted, self._compared[topic.name] = counted, compared
        self._show(f"measured launch {counted}")

    def profiling(self, topic: Topic, variant: str, presets: Sequence[Preset]) -> None:
        """Profiles are taken."""
        names = " and ".join(preset.name for preset in presets)
        self._show(f"profiling {variant} ({names})")

    def note(self, text: str) -> None:
        """Print it above the table."""
        self._live.console.print(Text(text), highlight=False)

    def _show(self, status: str) -> None:
        self._status = status
        self._live.update(self._draw(), refresh=True)

    def _draw(self) -> Table:
        done = self._topic.name if self._topic else ""
        table = Table(
            title=escape(f"{done}  {self._status}"),
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
        for name, compared in self._compared.items():
            for comparison in compared:
                table.add_row(
                    escape(f"{name}: {comparison.candidate}"),
                    comparison.metric,
                    interval_text(comparison),
                    comparison.verdict or "",
                )
        return table

    def _caption(self) -> str:
        if not self._looks:
            return ""
        looks = ", ".join(map(str, self._looks))
        return (
            f"launch {self._counted} of at most {self._looks[-1]}, "
            f"looks after {looks}; {self._clock.left(self._counted)} left at most"
        )


class _Clock:
    """Estimates how long a topic can still take."""

    def __init__(self, plan: Plan) -> None:
        self._budget = plan.settings.time_budget
        self._began = time.monotonic()
        self._most = 0

    def topic(self, looks: Sequence[int]) -> None:
        self._began, self._most = time.monotonic(), looks[-1]

    def left(self, counted: int) -> str:
        spent = time.monotonic() - self._began
        left = self._budget - spent
        if counted:
            left = min(left, spent / counted * (self._most - counted))
        left = max(0, round(left))
        return f"{left // 60}:{left % 60:02d}"


def interval_text(comparison: Comparison) -> str:
    """Return a ratio with its interval, as far as there is one."""
    if comparison.ratio is None:
        return "–"
    if comparison.low is None or comparison.high is None:
        return f"{comparison.ratio:.3g}×"
    return f"{comparison.ratio:.3g}× [{comparison.low:.3g}, {comparison.high:.3g}]"
