"""The page of the accuracy study: accuracy.md, from runs beside a server's own log.

This module defines which runs were disturbed. It decides from measurements of the
machine, and does not look at the error of a run. A goal is judged by the median of the
undisturbed runs; the page also says how many of them meet it.
"""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from assay.report.markdown import escape
from assay.wording import counted, percent
from scripts.studies.pages import Goal, goal_summary, goal_table, markdown_table

ASSAY = "assay"
LOCUST = "locust"
FREEZING = "freezing"
# A run is disturbed if the generator's heartbeat stood still for this many seconds more
# than is usual for the cell (the lower quartile of its runs).
MAX_EXTRA_STALL = 3e-3
# A run is also disturbed if the generator's threads or the server's waited for a core
# for more than this share of the run.
MAX_WAITING_SHARE = 0.01
# For each percentile, the allowed error in seconds, and as a share of the truth. The
# larger of the two is allowed.
ALLOWED_ERROR = {"p50": (0.3e-3, 0.03), "p99": (1e-3, 0.05)}
ALLOWED_ERROR_FREEZING = {"p95": (0.0, 0.10)}

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
    """One run of one tool against one server.

    Attributes:
        tool: `ASSAY` or `LOCUST`.
        truth: For each percentile (such as ``p50``), the seconds by the server's log.
        seen: For each percentile, the seconds by the tool.
        machine: Assay only: numbers of the slice that show how quiet the machine was,
            in seconds, with the names of `assay.load.answers.Slice`.
        counts: Assay only: how many arrivals were planned and done, and how many
            requests failed.
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
        """Return the cell that this run belongs to."""
        return self.server, self.client, self.rate

    def disturbed(self, usual_stall: float) -> bool:
        """Say whether something else kept the generator or the server from its core.

        Args:
            usual_stall: The usual stall of the heartbeat in runs of this cell, in
                seconds.
        """
        if not self.machine:
            return False  # Locust does not report it
        waited = max(self.machine["run_delay"], self.machine["generator_run_delay"])
        return (
            self.machine["stall"] > usual_stall + MAX_EXTRA_STALL
            or waited > MAX_WAITING_SHARE * self.machine["duration"]
        )

    def error(self, name: str) -> float:
        """Return by how many seconds a percentile exceeds the log's percentile."""
        return self.seen[name] - self.truth[name]

    def within_limit(self, name: str) -> bool:
        """Say whether the error of a percentile is allowed."""
        limit = _allowed_error(self.server, name, self.truth[name])
        return abs(self.error(name)) <= limit


@dataclass(frozen=True)
class CommandRun:
    """How one whole `assay load` ended.

    Attributes:
        about: Its warnings about its own load generator.
    """

    about: tuple[str, ...]
    exit_code: int


def generator_warnings(results: Mapping[str, object]) -> tuple[str, ...]:
    """Return the warnings of a results.json about its load generator."""
    warnings = results.get("warnings")
    texts = [str(text) for text in warnings] if isinstance(warnings, list) else []
    about = [text for text in texts if "generator" in text.lower()]
    if results.get("bound"):
        about.append("The generator was the limit: latencies are lower bounds.")
    return tuple(about)


def of_cell(runs: Sequence[Run], tool: str, cell: Cell) -> list[Run]:
    """Return the runs of a cell by one tool."""
    return [run for run in runs if run.tool == tool and run.cell == cell]


def undisturbed(runs: Sequence[Run], tool: str, cell: Cell) -> list[Run]:
    """Return the undisturbed runs of a cell by one tool."""
    cell_runs = of_cell(runs, tool, cell)
    stalls = sorted(run.machine["stall"] for run in cell_runs if run.machine)
    usual_stall = stalls[len(stalls) // 4] if stalls else 0.0
    return [run for run in cell_runs if not run.disturbed(usual_stall)]


def goals(runs: Sequence[Run], tests: Sequence[CommandRun]) -> list[Goal]:
    """Judge Assay by every goal."""
    judged = [
        _percentile_goal(undisturbed(runs, ASSAY, cell), cell, name)
        for cell in CELLS
        for name in _limits(cell[0])
    ]
    warned = sum(bool(test.about) for test in tests)
    judged.append(
        Goal(
            "tests with HttpUser at 50/s that end with a warning about the generator",
            "none",
            f"{warned} of {len(tests)}",
            not warned if tests else None,
        )
    )
    return judged


def percentiles(runs: Sequence[Run]) -> str:
    """Return the table of all cells: Assay and Locust, each beside the server's log."""
    rows = []
    for cell in CELLS:
        assay, locust = (undisturbed(runs, tool, cell) for tool in (ASSAY, LOCUST))
        names = sorted({name for run in [*assay, *locust] for name in run.truth})
        for name in names:
            limited = name in _limits(cell[0])
            within = sum(run.within_limit(name) for run in assay) if limited else 0
            rows.append(
                [
                    *(cell[0], f"`{cell[1]}`", f"{cell[2]}/s", name),
                    *_cells(assay, name),
                    f"{within} of {len(assay)}" if limited else "–",
                    *_cells(locust, name),
                ]
            )
    header = ["server", "client", "rate", "", "log", "Assay", "error", "runs within"]
    return markdown_table([*header, "log", "Locust's CSV", "error"], rows)


def disturbances(runs: Sequence[Run]) -> str:
    """Return the table of how many runs were left out, and how quiet all runs were."""
    rows = []
    for cell in CELLS:
        cell_runs = of_cell(runs, ASSAY, cell)
        if not cell_runs:
            continue
        left_out = len(cell_runs) - len(undisturbed(runs, ASSAY, cell))
        rows.append(
            [
                *(cell[0], f"`{cell[1]}`", f"{cell[2]}/s"),
                f"{left_out} of {len(cell_runs)}",
                _ms(_median(run.machine["stall"] for run in cell_runs)),
                *(
                    percent(
                        _median(run.machine[key] / _duration(run) for run in cell_runs)
                    )
                    for key in ("generator_run_delay", "run_delay", "generator_cpu")
                ),
                _ms(_median(run.machine["lag_p99"] for run in cell_runs)),
                str(sum(_not_done(run) for run in cell_runs)),
            ]
        )
    header = ["server", "client", "rate", "disturbed", "stall", "generator waited"]
    header += ["server waited", "generator's CPU", "lag p99", "failed or not done"]
    return markdown_table(header, rows)


def page(
    runs: Sequence[Run],
    tests: Sequence[CommandRun],
    machines: Sequence[str],
    seconds: float,
) -> str:
    """Return the page.

    Args:
        runs: The runs of all measured cells; there may be none.
        tests: The whole tests.
        machines: The machines that measured.
        seconds: The length of each run; those of the freezing server are longer.
    """
    judged = goals(runs, tests)
    warnings = dict.fromkeys(text for test in tests for text in test.about)
    parts = [
        "# Are the percentiles those of the server?",
        goal_summary(judged),
        goal_table(judged),
        "## Percentiles beside the server's own log",
        "Medians over the undisturbed runs. Assay's percentiles are those of the "
        "latency: the waiting that the server caused, and the time from sent to "
        "answered. Locust is compared with the log of its own runs: closed users with "
        "`constant_throughput` at the same rate, which begin at random moments. All of "
        "its runs count, because it does not report which were disturbed. The log of "
        "the freezing server says when it stood still; the ideal latency is computed "
        "from that and from the arrivals alone. A client's times also contain the way "
        "through the kernel.",
        percentiles(runs),
        "## What was left out",
        f"Runs of {seconds:g} s. A run is disturbed if the generator's heartbeat stood "
        f"still for {MAX_EXTRA_STALL * 1e3:g} ms more than is usual for the same "
        "client and rate (the lower quartile of its runs), or if the generator's "
        "threads or the server's waited for a core for more than "
        f"{percent(MAX_WAITING_SHARE)} of the run. A disturbed run is left out and "
        "repeated, up to twice the number of runs. Medians of all runs:",
        disturbances(runs),
        "## Whole tests that warn",
        f"`assay load` with `HttpUser` at 50/s: {_warned(tests)}",
        *(["\n".join(f"- {escape(text)}" for text in warnings)] if warnings else []),
        "## How to repeat it",
        f"Measured on {' and '.join(machines) or 'an unknown machine'}.",
        "```console\n$ ./scripts/study_accuracy --page\n```",
    ]
    return "\n\n".join(parts) + "\n"


def _percentile_goal(cell_runs: Sequence[Run], cell: Cell, name: str) -> Goal:
    server, client, rate = cell
    seconds, share = _limits(server)[name]
    required = f"within {percent(share)}"
    if seconds:
        required = f"within {seconds * 1e3:g} ms or {percent(share)}"
    goal_name = f"{name}, `{client}` at {rate}/s, {server}"
    if not cell_runs:
        return Goal(goal_name, required, "–", None)
    error = _median_error(cell_runs, name)
    truth = _median(run.truth[name] for run in cell_runs)
    within = sum(run.within_limit(name) for run in cell_runs)
    runs_within = f"{within} of {counted(len(cell_runs), 'run')} within"
    met = abs(error) <= _allowed_error(server, name, truth)
    return Goal(goal_name, required, f"{_signed(error, truth)}, {runs_within}", met)


def _cells(runs: Sequence[Run], name: str) -> Iterator[str]:
    """Yield three cells: the log's percentile, the tool's, and the tool's error."""
    if not runs:
        yield from ("–", "–", "–")
        return
    truth = _median(run.truth[name] for run in runs)
    yield from (_ms(truth), _ms(_median(run.seen[name] for run in runs)))
    yield _signed(_median_error(runs, name), truth)


def _limits(server: str) -> Mapping[str, tuple[float, float]]:
    return ALLOWED_ERROR_FREEZING if server == FREEZING else ALLOWED_ERROR


def _allowed_error(server: str, name: str, truth: float) -> float:
    seconds, share = _limits(server)[name]
    return max(seconds, share * truth)


def _median_error(runs: Sequence[Run], name: str) -> float:
    return _median(run.error(name) for run in runs)


def _warned(tests: Sequence[CommandRun]) -> str:
    if not tests:
        return "not measured."
    warned = sum(bool(test.about) for test in tests)
    return (
        f"{warned} of {counted(len(tests), 'test')} ended with a warning about the "
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


def _signed(error: float, truth: float) -> str:
    share = f" ({error / truth:+.1%})" if truth > 0 else ""
    return f"{error * 1e3:+.2f} ms{share}"
