"""The page and the picture of the study of generators."""

import os
import platform
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assay.load.arrivals import Arrivals
from assay.load.lateness import LATE

REFERENCE = "FastHttpUser"


@dataclass(frozen=True)
class Turn:
    """What one generator did in one turn: requests, and seconds of wall and CPU."""

    requests: int
    seconds: float
    cpu: float

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds

    @property
    def cost(self) -> float:
        """CPU seconds per request."""
        return self.cpu / self.requests


@dataclass(frozen=True)
class Punctual:
    """How punctual one open-loop run was.

    Attributes:
        sent: Arrivals that were sent, as a share of those expected.
        late: Seconds of lag: median, and one in a hundred of the worst second.
        flagged: Whether Assay itself says that the generator was late.
    """

    rate: int
    arrivals: Arrivals
    sent: float
    done: int
    planned: int
    late: tuple[float, float]
    cpu: float

    @property
    def flagged(self) -> bool:
        """Whether the report would warn of it."""
        return self.late[1] > LATE


@dataclass(frozen=True)
class Seen:
    """What a client saw of a server's service times, beside the server's own log.

    Attributes:
        share: Of the percentile, from 0 to 1.
        truth: Seconds by the log.
        seen: Seconds by the client, which has the way there and back besides.
    """

    client: str
    share: float
    truth: float
    seen: float


@dataclass(frozen=True)
class Study:
    """All that was measured.

    Attributes:
        turns: Of each generator in a closed loop, one for each round.
        punctual: Of LeanHttpUser in an open loop.
        seen: Percentiles beside a server's log.
        workers: Requests a second of one worker and of two, for each round.
    """

    turns: Mapping[str, Sequence[Turn]]
    punctual: Sequence[Punctual]
    seen: Sequence[Seen]
    workers: Sequence[tuple[float, float]]
    connections: int


def page(study: Study) -> str:
    """Return the page."""
    return "\n".join(
        [
            "# What a load generator costs",
            "",
            "![Requests a second and CPU time per request](generators.png)",
            "",
            f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python "
            f"{platform.python_version()}; {study.connections} connections in a closed "
            "loop, one core for the generator, one for a server that only answers. "
            "Medians of the rounds; ratios are medians of the ratios within a round, "
            "with the least and the greatest. The clients of Locust run under Assay "
            "and record every request.",
            "",
            *_cost(study.turns),
            "",
            "## Punctuality of LeanHttpUser in an open loop",
            "",
            "The lag is how late a request was sent by the generator itself.",
            "",
            *_punctuality(study.punctual),
            "",
            "## Percentiles beside the server's log",
            "",
            "The server draws its service times and logs how long each request took on "
            "its side; a client sees the way there and back besides, through the "
            "kernel and both event loops.",
            "",
            *_accuracy(study.seen),
            "",
            "## Two workers",
            "",
            *_workers(study.workers),
            "",
            "## How to repeat it",
            "",
            "```console",
            "$ ./scripts/study_generators",
            "```",
            "",
        ]
    )


def _cost(turns: Mapping[str, Sequence[Turn]]) -> list[str]:
    reference = turns[REFERENCE]
    rows = [
        "| generator | requests/s | CPU µs/request | requests/s ÷ FastHttpUser's | "
        "CPU ÷ FastHttpUser's |",
        "|---|---|---|---|---|",
    ]
    for name, own in sorted(turns.items(), key=lambda item: -_median_rate(item[1])):
        rate = _ratio(own, reference, lambda turn: turn.rate)
        cost = _ratio(own, reference, lambda turn: turn.cost)
        rows.append(
            f"| {name} | {_median_rate(own):,.0f} | {_median_cost(own):,.1f} | {rate} "
            f"| {cost} |"
        )
    return rows


def _punctuality(punctual: Sequence[Punctual]) -> list[str]:
    rows = [
        "| arrivals | rate asked for | sent ÷ asked | planned = done | lag p50 | "
        "lag p99, worst second | generator | flagged by Assay |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for item in punctual:
        rows.append(
            f"| {item.arrivals} | {item.rate:,}/s | {item.sent:.4f} | "
            f"{item.planned:,} = {item.done:,} | {1e3 * item.late[0]:.3f} ms | "
            f"{1e3 * item.late[1]:.3f} ms | {item.cpu:.0%} of a core | "
            f"{'yes' if item.flagged else 'no'} |"
        )
    return rows


def _accuracy(seen: Sequence[Seen]) -> list[str]:
    rows = [
        "| client | percentile | server's log | seen | off by |",
        "|---|---|---|---|---|",
    ]
    for item in seen:
        off = item.seen - item.truth
        rows.append(
            f"| {item.client} | p{100 * item.share:g} | {1e3 * item.truth:.2f} ms | "
            f"{1e3 * item.seen:.2f} ms | {1e3 * off:+.2f} ms "
            f"({off / item.truth:+.1%}) |"
        )
    return rows


def _workers(rates: Sequence[tuple[float, float]]) -> list[str]:
    ratios = sorted(two / one for one, two in rates)
    return [
        f"FastHttpUser, a core for each worker; the server shares one of them, with "
        f"what little it needs. One worker {_middle([a for a, _ in rates]):,.0f} "
        f"requests a second, two {_middle([b for _, b in rates]):,.0f}: "
        f"{statistics.median(ratios):.2f} times as many [{ratios[0]:.2f}, "
        f"{ratios[-1]:.2f}].",
    ]


def picture(study: Study, path: Path) -> None:
    """Draw requests a second and CPU time per request of each generator."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    names = sorted(study.turns, key=lambda name: _median_rate(study.turns[name]))
    figure = Figure(figsize=(11, 0.9 + 0.42 * len(names)), dpi=200, facecolor="white")
    charts: list[tuple[str, Callable[[Sequence[Turn]], float], str]] = [
        ("Requests a second of one core", _median_rate, "{:,.0f}"),
        ("CPU time per request, µs", _median_cost, "{:,.1f}"),
    ]
    with rc_context({"font.family": "DejaVu Sans", "font.size": 9.5}):
        for column, (title, number, form) in enumerate(charts):
            axes: Any = figure.add_axes((0.13 + 0.47 * column, 0.05, 0.36, 0.78))
            values = [number(study.turns[name]) for name in names]
            colours = [_colour(name) for name in names]
            axes.barh(range(len(names)), values, color=colours, height=0.62)
            for row, value in enumerate(values):
                axes.text(value, row, "  " + form.format(value), va="center", color=INK)
            axes.set_yticks(
                range(len(names)), names if not column else [""] * len(names)
            )
            axes.set_xticks([])
            axes.set_xlim(0, 1.2 * max(values))
            axes.tick_params(length=0, labelcolor=INK)
            axes.spines[:].set_visible(False)
            axes.set_title(title, loc="left", color=INK, weight="bold", fontsize=12)
    figure.savefig(path)


INK = "#1b1d21"
_OURS, _LOCUST, _OTHER = "#1f74b4", "#8fb8d8", "#b9bec6"


def _colour(name: str) -> str:
    if name == "LeanHttpUser":
        return _OURS
    return _LOCUST if name.endswith("HttpUser") else _OTHER


def _middle(values: Sequence[float]) -> float:
    return statistics.median(values)


def _median_rate(turns: Sequence[Turn]) -> float:
    return statistics.median(turn.rate for turn in turns)


def _median_cost(turns: Sequence[Turn]) -> float:
    return 1e6 * statistics.median(turn.cost for turn in turns)


def _ratio(
    own: Sequence[Turn], reference: Sequence[Turn], number: Callable[[Turn], float]
) -> str:
    ratios = [number(a) / number(b) for a, b in zip(own, reference, strict=True)]
    return f"{statistics.median(ratios):.2f} [{min(ratios):.2f}, {max(ratios):.2f}]"
