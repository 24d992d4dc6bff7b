"""From runs beside a server's own log to a page: accuracy.md.

What counts as a disturbed run is defined here from what the machine's clocks say,
without a look at how far off a run is. A target is judged by the median of the
undisturbed runs; how many of them meet it stands beside it.
"""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from assay.report.markdown import escape
from assay.wording import counted, percent
from scripts.studies.pages import Target, answer, headed, target_table

ASSAY, LOCUST = "assay", "locust"
FREEZING = "freezing"
# A standstill of the generator's heartbeat, in seconds beyond what is usual for the
# cell (its runs' lower quartile), or the share of a run that the generator's threads or
# the server's waited for a core, from which on something else disturbed the run.
STALL, WAITED = 3e-3, 0.01
# Percentile to seconds and share of the truth; the larger of them is allowed.
ALLOWED = {"p50": (0.3e-3, 0.03), "p99": (1e-3, 0.05)}
ALLOWED_FREEZING = {"p95": (0.0, 0.10)}

Cell = tuple[str, str, int]  # server, client, requests a second
CELLS: tuple[Cell, ...] = (
    ("constant", "HttpUser", 50),
    ("constant", "HttpUser", 400),
    *(
        ("constant", client, rate)
        for client in ("FastHttpUser", "LeanHttpUser")
        for rate in (50, 400, 1000)
    ),
    ("steady", "FastHttpUser", 300),
    (FREEZING, "FastHttpUser", 400),
)


@dataclass(frozen=True)
class Run:
    """One load of one server.

    Attributes:
        tool: `ASSAY` or `LOCUST`.
        truth: Percentile (such as ``p50``) to seconds by the server's log.
        seen: The same by the tool.
        machine: Assay only: numbers of the slice that say how quiet it was, as
            `assay.load.control.generator.Slice` names them, in seconds.
        counts: Assay only: what became of the arrivals.
    """

    tool: str
    server: str
    client: str
    rate: int
    truth: Mapping[str, float]
    seen: Mapping[str, float]
    machine: Mapping[str, float] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def cell(self) -> Cell:
        """Return what it is a run of."""
        return self.server, self.client, self.rate

    def disturbed(self, usual: float) -> bool:
        """Say whether something else kept the generator or the server from its core.

        Args:
            usual: Seconds that the heartbeat stands still in runs of this cell.
        """
        if not self.machine:
            return False  # Locust says nothing of it
        waited = max(self.machine["run_delay"], self.machine["generator_run_delay"])
        return (
            self.machine["stall"] > usual + STALL
            or waited > WAITED * self.machine["duration"]
        )

    def off(self, name: str) -> float:
        """Return how much more than the log a percentile says, in seconds."""
        return self.seen[name] - self.truth[name]

    def within(self, name: str) -> bool:
        """Say whether a percentile is as near to the log as is wanted."""
        return abs(self.off(name)) <= _allowed(self.server, name, self.truth[name])


@dataclass(frozen=True)
class Ended:
    """How a whole `assay load` ended.

    Attributes:
        about: What it said about its own load generator; empty if nothing.
    """

    about: tuple[str, ...]
    exit_code: int


def about_generator(results: Mapping[str, object]) -> tuple[str, ...]:
    """Return what a results.json says against its load generator."""
    warnings = results.get("warnings")
    found = [str(text) for text in warnings] if isinstance(warnings, list) else []
    about = [text for text in found if "generator" in text.lower()]
    if results.get("bound"):
        about.append("The generator was the limit: latencies are lower bounds.")
    return tuple(about)


def of_cell(runs: Sequence[Run], tool: str, cell: Cell) -> list[Run]:
    """Return the runs of a cell."""
    return [run for run in runs if run.tool == tool and run.cell == cell]


def chosen(runs: Sequence[Run], tool: str, cell: Cell) -> list[Run]:
    """Return the undisturbed runs of a cell."""
    own = of_cell(runs, tool, cell)
    stalls = sorted(run.machine["stall"] for run in own if run.machine)
    usual = stalls[len(stalls) // 4] if stalls else 0.0
    return [run for run in own if not run.disturbed(usual)]


def targets(runs: Sequence[Run], ended: Sequence[Ended]) -> list[Target]:
    """Judge Assay by every target."""
    judged = [
        _target(chosen(runs, ASSAY, cell), cell, name)
        for cell in CELLS
        for name in _limits(cell[0])
    ]
    warned = sum(bool(one.about) for one in ended)
    judged.append(
        Target(
            "tests with HttpUser at 50/s that end with a warning about the generator",
            "none",
            f"{warned} of {len(ended)}",
            not warned if ended else None,
        )
    )
    return judged


def percentiles(runs: Sequence[Run]) -> str:
    """Return the table of every cell: log, Assay, and Locust beside its own log."""
    rows = []
    for cell in CELLS:
        ours, theirs = (chosen(runs, tool, cell) for tool in (ASSAY, LOCUST))
        names = sorted({name for run in [*ours, *theirs] for name in run.truth})
        for name in names:
            limited = name in _limits(cell[0])
            near = sum(run.within(name) for run in ours) if limited else 0
            rows.append(
                [
                    *(cell[0], f"`{cell[1]}`", f"{cell[2]}/s", name),
                    *_cells(ours, name),
                    f"{near} of {len(ours)}" if limited else "–",
                    *_cells(theirs, name),
                ]
            )
    head = ["server", "client", "rate", "", "log", "Assay", "off by", "runs within"]
    return headed([*head, "log", "Locust's CSV", "off by"], rows)


def disturbances(runs: Sequence[Run]) -> str:
    """Return the table of how many runs were left out, and how quiet the rest was."""
    rows = []
    for cell in CELLS:
        own = of_cell(runs, ASSAY, cell)
        if not own:
            continue
        lost = len(own) - len(chosen(runs, ASSAY, cell))
        rows.append(
            [
                *(cell[0], f"`{cell[1]}`", f"{cell[2]}/s", f"{lost} of {len(own)}"),
                _ms(_median(run.machine["stall"] for run in own)),
                *(
                    percent(_median(run.machine[key] / _duration(run) for run in own))
                    for key in ("generator_run_delay", "run_delay", "generator_cpu")
                ),
                _ms(_median(run.machine["lag_p99"] for run in own)),
                str(sum(_not_done(run) for run in own)),
            ]
        )
    head = ["server", "client", "rate", "disturbed", "stall", "generator waited"]
    head += ["server waited", "generator's CPU", "lag p99", "failed or not done"]
    return headed(head, rows)


def page(
    runs: Sequence[Run], ended: Sequence[Ended], machines: Sequence[str], seconds: float
) -> str:
    """Return the page.

    Args:
        runs: Of as many cells as were measured, none at all included.
        ended: The whole tests.
        machines: What measured it.
        seconds: Of each run; those of the freezing server are longer.
    """
    judged = targets(runs, ended)
    said = dict.fromkeys(text for one in ended for text in one.about)
    parts = [
        "# Are the percentiles those of the server?",
        answer(judged),
        target_table(judged),
        "## Percentiles beside the server's own log",
        "Medians over the undisturbed runs. Assay's are of the latency: the waiting "
        "that the server caused, and the time from sent to answered. Locust stands "
        "beside the log of its own runs: closed users with `constant_throughput` at "
        "the same rate, which begin at random moments; all of its runs count, since "
        "it does not say which were disturbed. The log of the freezing server says "
        "when it stood still; the ideal follows from that and from the arrivals "
        "alone. A client sees the way through the kernel besides.",
        percentiles(runs),
        "## What was left out",
        f"Runs of {seconds:g} s. One is disturbed if the generator's heartbeat stood "
        f"still for {STALL * 1e3:g} ms more than is usual for the same client and rate "
        "(the lower quartile of its runs), or if its threads or the server's "
        f"waited for a core for more than {percent(WAITED)} of the run. It is left "
        "out and repeated, until there are twice as many runs as wanted. Medians of "
        "all runs:",
        disturbances(runs),
        "## Whole tests that warn",
        f"`assay load` with `HttpUser` at 50/s: {_warned(ended)}",
        *(["\n".join(f"- {escape(text)}" for text in said)] if said else []),
        "## How to repeat it",
        f"Measured on {' and '.join(machines) or 'a machine not noted'}.",
        "```console\n$ ./scripts/study_accuracy --page\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _target(own: Sequence[Run], cell: Cell, name: str) -> Target:
    server, client, rate = cell
    least, share = _limits(server)[name]
    wanted = f"within {percent(share)}"
    if least:
        wanted = f"within {least * 1e3:g} ms or {percent(share)}"
    what = f"{name}, `{client}` at {rate}/s, {server}"
    if not own:
        return Target(what, wanted, "–", None)
    off, truth = _off(own, name), _median(run.truth[name] for run in own)
    near = sum(run.within(name) for run in own)
    found = f"{_signed(off, truth)}, {near} of {counted(len(own), 'run')} within"
    met = abs(off) <= _allowed(server, name, truth)
    return Target(what, wanted, found, met)


def _cells(own: Sequence[Run], name: str) -> Iterator[str]:
    """Yield three cells: what the log says, what is seen, and how far off that is."""
    if not own:
        yield from ("–", "–", "–")
        return
    truth = _median(run.truth[name] for run in own)
    yield from (_ms(truth), _ms(_median(run.seen[name] for run in own)))
    yield _signed(_off(own, name), truth)


def _limits(server: str) -> Mapping[str, tuple[float, float]]:
    return ALLOWED_FREEZING if server == FREEZING else ALLOWED


def _allowed(server: str, name: str, truth: float) -> float:
    least, share = _limits(server)[name]
    return max(least, share * truth)


def _off(own: Sequence[Run], name: str) -> float:
    return _median(run.off(name) for run in own)


def _warned(ended: Sequence[Ended]) -> str:
    if not ended:
        return "not measured."
    warned = sum(bool(one.about) for one in ended)
    return (
        f"{warned} of {counted(len(ended), 'test')} ended with a warning about the "
        f"load generator{':' if warned else '.'}"
    )


def _not_done(run: Run) -> int:
    counts = run.counts
    return counts["failed"] + counts["planned"] - counts["done"]


def _duration(run: Run) -> float:
    return run.machine["duration"]


def _median(values: Iterator[float]) -> float:
    return statistics.median(values)


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.2f} ms"


def _signed(off: float, truth: float) -> str:
    share = f" ({off / truth:+.1%})" if truth > 0 else ""
    return f"{off * 1e3:+.2f} ms{share}"
