"""The page and the picture of the study of load generators."""

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
_TEXT_COLOUR = "#1b1d21"
_ASSAY_COLOUR = "#1f74b4"
_LOCUST_COLOUR = "#8fb8d8"
_OTHER_COLOUR = "#b9bec6"


@dataclass(frozen=True)
class Turn:
    """One turn of a generator: its requests, and its seconds of wall clock and CPU."""

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
class Punctuality:
    """How punctual one open-loop run was.

    Attributes:
        sent: Planned arrivals, as a share of the expected number.
        done: How many arrivals were served.
        planned: How many arrivals were due.
        late: Seconds of lag: the median over the seconds of the run, and the 99th
            percentile of the worst second.
        cpu: CPU time of the generator, as a share of one core.
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
        """Whether the lag exceeds the limit that Assay warns at."""
        return self.late[1] > LATE


@dataclass(frozen=True)
class ClientPercentile:
    """A percentile of a client's response times, beside the server's own log.

    Attributes:
        share: The percentile as a fraction, from 0 to 1.
        truth: Seconds by the log.
        seen: Seconds by the client, with the way to the server and back.
    """

    client: str
    share: float
    truth: float
    seen: float


@dataclass(frozen=True)
class Study:
    """The results of the study.

    Attributes:
        turns: The turns of each generator in a closed loop, one for each round.
        punctuality: The runs of LeanHttpUser in an open loop.
        percentiles: Percentiles of clients beside a server's log.
        workers: Requests per second of one worker and of two, for each round.
        connections: Connections of each generator in a closed loop.
    """

    turns: Mapping[str, Sequence[Turn]]
    punctuality: Sequence[Punctuality]
    percentiles: Sequence[ClientPercentile]
    workers: Sequence[tuple[float, float]]
    connections: int


def page(study: Study) -> str:
    """Return the page."""
    return "\n".join(
        [
            "# What a load generator costs",
            "",
            "![Requests per second and CPU time per request](generators.png)",
            "",
            f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python "
            f"{platform.python_version()}; {study.connections} connections in a closed "
            "loop; one core for the generator, one for a server that does nothing but "
            "answer. Numbers are medians over the rounds. Ratios are medians of the "
            "ratios within a round, with the smallest and the largest. Locust's "
            "clients run under Assay and record every request.",
            "",
            *_cost(study.turns),
            "",
            "## Punctuality of LeanHttpUser in an open loop",
            "",
            "The lag is the delay of a request that the generator itself caused.",
            "",
            *_punctuality(study.punctuality),
            "",
            "## Percentiles beside the server's log",
            "",
            "The server has random service times and logs how long each request took "
            "in it. A client's times also contain the way there and back, through the "
            "kernel and both event loops.",
            "",
            *_accuracy(study.percentiles),
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
    by_rate = sorted(turns.items(), key=lambda item: -_median_rate(item[1]))
    for name, generator_turns in by_rate:
        rate = _ratio(generator_turns, reference, lambda turn: turn.rate)
        cost = _ratio(generator_turns, reference, lambda turn: turn.cost)
        rows.append(
            f"| {name} | {_median_rate(generator_turns):,.0f} | "
            f"{_median_cost(generator_turns):,.1f} | {rate} | {cost} |"
        )
    return rows


def _punctuality(runs: Sequence[Punctuality]) -> list[str]:
    rows = [
        "| arrivals | rate | sent ÷ expected | planned = done | lag p50 | "
        "lag p99, worst second | generator | flagged by Assay |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for run in runs:
        rows.append(
            f"| {run.arrivals} | {run.rate:,}/s | {run.sent:.4f} | "
            f"{run.planned:,} = {run.done:,} | {1e3 * run.late[0]:.3f} ms | "
            f"{1e3 * run.late[1]:.3f} ms | {run.cpu:.0%} of a core | "
            f"{'yes' if run.flagged else 'no'} |"
        )
    return rows


def _accuracy(percentiles: Sequence[ClientPercentile]) -> list[str]:
    rows = [
        "| client | percentile | server's log | client | error |",
        "|---|---|---|---|---|",
    ]
    for item in percentiles:
        error = item.seen - item.truth
        rows.append(
            f"| {item.client} | p{100 * item.share:g} | {1e3 * item.truth:.2f} ms | "
            f"{1e3 * item.seen:.2f} ms | {1e3 * error:+.2f} ms "
            f"({error / item.truth:+.1%}) |"
        )
    return rows


def _workers(rates: Sequence[tuple[float, float]]) -> list[str]:
    ratios = sorted(two_workers / one_worker for one_worker, two_workers in rates)
    one_worker_median = statistics.median(rate for rate, _ in rates)
    two_workers_median = statistics.median(rate for _, rate in rates)
    return [
        "FastHttpUser, with one core for each worker. The server shares a core with a "
        f"worker; it needs little. One worker made {one_worker_median:,.0f} requests "
        f"per second, two made {two_workers_median:,.0f}: "
        f"{statistics.median(ratios):.2f} times as many [{ratios[0]:.2f}, "
        f"{ratios[-1]:.2f}].",
    ]


def picture(study: Study, path: Path) -> None:
    """Draw requests per second and CPU time per request of each generator."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    names = sorted(study.turns, key=lambda name: _median_rate(study.turns[name]))
    figure = Figure(figsize=(11, 0.9 + 0.42 * len(names)), dpi=200, facecolor="white")
    charts: list[tuple[str, Callable[[Sequence[Turn]], float], str]] = [
        ("Requests per second of one core", _median_rate, "{:,.0f}"),
        ("CPU time per request, µs", _median_cost, "{:,.1f}"),
    ]
    with rc_context({"font.family": "DejaVu Sans", "font.size": 9.5}):
        for column, (title, number, form) in enumerate(charts):
            axes: Any = figure.add_axes((0.13 + 0.47 * column, 0.05, 0.36, 0.78))
            values = [number(study.turns[name]) for name in names]
            colours = [_colour(name) for name in names]
            axes.barh(range(len(names)), values, color=colours, height=0.62)
            for row, value in enumerate(values):
                axes.text(
                    value,
                    row,
                    "  " + form.format(value),
                    va="center",
                    color=_TEXT_COLOUR,
                )
            axes.set_yticks(
                range(len(names)), names if not column else [""] * len(names)
            )
            axes.set_xticks([])
            axes.set_xlim(0, 1.2 * max(values))
            axes.tick_params(length=0, labelcolor=_TEXT_COLOUR)
            axes.spines[:].set_visible(False)
            axes.set_title(
                title, loc="left", color=_TEXT_COLOUR, weight="bold", fontsize=12
            )
    figure.savefig(path)


def _colour(name: str) -> str:
    if name == "LeanHttpUser":
        return _ASSAY_COLOUR
    return _LOCUST_COLOUR if name.endswith("HttpUser") else _OTHER_COLOUR


def _median_rate(turns: Sequence[Turn]) -> float:
    return statistics.median(turn.rate for turn in turns)


def _median_cost(turns: Sequence[Turn]) -> float:
    return 1e6 * statistics.median(turn.cost for turn in turns)


def _ratio(
    turns: Sequence[Turn], reference: Sequence[Turn], number: Callable[[Turn], float]
) -> str:
    ratios = [number(a) / number(b) for a, b in zip(turns, reference, strict=True)]
    return f"{statistics.median(ratios):.2f} [{min(ratios):.2f}, {max(ratios):.2f}]"
