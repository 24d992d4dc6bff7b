"""The results of a load test as sentences and cells, shared by all formats."""

import math
from collections.abc import Sequence

from assay.analysis import load_failures
from assay.load_plan import LoadPlan
from assay.load_results import (
    CapacityResults,
    Judgement,
    LoadResults,
    Row,
    Spread,
    SweepResults,
)
from assay.metrics import QUANTILES, requests_needed
from assay.wording import counted, judgement, one_line, percent, quantity, significant

Titled = LoadResults | CapacityResults | SweepResults
COLUMNS = ("mean", "p50", "p90", "p95", "p99", "p99.9", "longest")
MAX_LENGTH = 200  # characters of a name or an error that are shown
FIELDS = ("mean", "p50", "p90", "p95", "p99", "p999", "longest")


def subject(plan: LoadPlan) -> str:
    """Return the host under load, or the locustfile if only that names the host."""
    return one_line(plan.host) or one_line(plan.locustfile.name)


def title(results: Titled, kind: str, plan: LoadPlan) -> str:
    """Return the title of a report: the user's, or the kind of test and the host.

    Args:
        results: The results of the test.
        kind: What was done, such as "Load test".
        plan: The plan of the test.
    """
    return one_line(results.title) or f"{kind} of {subject(plan)}"


def tags(results: Titled) -> list[tuple[str, str]]:
    """Return the name and the text of each tag."""
    return [(one_line(name), one_line(text)) for name, text in results.tags.items()]


def answer(plan: LoadPlan, results: LoadResults) -> str:
    """Return the answer in a few sentences."""
    sentences = failures(results)
    if results.requirements:
        sentences.append(_verdict(results.requirements))
    remarks = [*load_failures.other_failures(results)]
    if results.partial:
        remarks.append(partial_reason(results))
    total = results.total
    if total is None:
        return " ".join([*sentences, "No request was made.", *remarks])
    times = dict(zip(COLUMNS, cells(total.latency, results.bound), strict=True))
    percentiles = [name for name in ("p99", "p95", "p90") if times[name] != "–"]
    tail = percentiles[0] if percentiles else "longest"
    sentences.append(
        f"{significant(results.rate)} {_load_noun(results)} a second for "
        f"{quantity(results.loaded, 's')}: median latency {times['p50']}, {tail} "
        f"{times[tail]}, {percent(total.failed / total.requests)} of requests failed."
    )
    lost = results.dropped + results.unserved
    if lost:
        sentences.append(
            f"{counted(lost, 'arrival')} of {results.planned:,} were never served."
        )
    return " ".join([*sentences, *remarks])


def failures(results: LoadResults) -> list[str]:
    """Return sentences on failures that count whatever the requirements are."""
    sentences = locustfile_verdict(results.locust_exit_code)
    if nothing := load_failures.nothing_succeeded(results):
        sentences.insert(0, nothing)
    return sentences


def locustfile_verdict(code: int | None) -> list[str]:
    """Return a sentence if the locustfile itself says that the test failed.

    Args:
        code: The ``process_exit_code`` that the locustfile has set; None if there is
            none.
    """
    if not code:
        return []
    return [f"The locustfile has set process_exit_code to {code}."]


def partial_reason(results: LoadResults) -> str:
    """Return why the results are partial."""
    lost_workers = sum(1 for worker in results.workers if worker.lost)
    if results.limit:
        return "The generator's own machine was the limit: the results are partial."
    if results.missing:
        return "Not all samples are on disk: the results are partial."
    if lost_workers:
        return (
            f"{counted(lost_workers, 'worker')} of {len(results.workers)} "
            f"{'was' if lost_workers == 1 else 'were'} lost: the results are partial."
        )
    return "The test ended early: the results are partial."


WORKER_COLUMNS = ("share", "planned", "done", "dropped", "unserved", "lag p99", "state")


def workers(results: LoadResults) -> list[tuple[str, list[str]]]:
    """Return the name of each worker and the cells of `WORKER_COLUMNS`."""
    return [
        (
            one_line(worker.name),
            [
                percent(worker.share),
                *(
                    f"{count:,}"
                    for count in (
                        worker.planned,
                        worker.done,
                        worker.dropped,
                        worker.unserved,
                    )
                ),
                quantity(worker.lag_p99, "s"),
                f"lost: {one_line(worker.lost)}" if worker.lost else "did its part",
            ],
        )
        for worker in results.workers
    ]


def cells(spread: Spread, bound: bool = False) -> list[str]:
    """Return the times of requests, as the cells of `COLUMNS`.

    A percentile with too few requests beyond it is left out. A mean that includes
    unanswered requests is a lower bound.

    Args:
        spread: The distribution of the times.
        bound: Whether all times are lower bounds: see `LoadResults.bound`.
    """
    return [_cell(spread, name, bound) for name in FIELDS]


def answers(row: Row) -> str:
    """Return the HTTP statuses and the sizes of a row's answers; empty if unknown."""
    parts = [
        f"{one_line(status)} × {count:,}" for status, count in row.statuses.items()
    ]
    if row.size_mean is not None and row.size_max:
        parts.append(f"{quantity(row.size_mean, 'B')} each")
        if row.size_max > 1.005 * row.size_mean:
            parts[-1] = (
                f"{quantity(row.size_mean, 'B')} on average, at most "
                f"{quantity(row.size_max, 'B')}"
            )
    return " · ".join(parts)


def time_text(seconds: float | None, bound: bool = False) -> str:
    """Return a time as text; ``∞`` if there was no answer.

    Args:
        seconds: The time; None if there is none.
        bound: Whether the time is a lower bound: ``≥ 12.0 ms``.
    """
    if seconds is None:
        return "–"
    if math.isinf(seconds):
        return "∞"
    return f"{'≥ ' if bound else ''}{quantity(seconds, 's')}"


def row_title(row: Row) -> str:
    """Return the title of a row."""
    return short(row.title)


def short(text: str) -> str:
    """Return a text as one line of bounded length: names may come from the target."""
    line = one_line(text)
    return line if len(line) <= MAX_LENGTH else f"{line[: MAX_LENGTH - 1]}…"


def errors(results: LoadResults) -> list[tuple[str, int]]:
    """Return each error with its count: first those of requests, then of tasks."""
    return [
        (one_line(error), count)
        for error, count in (*results.errors.items(), *results.raised.items())
    ]


def load_text(plan: LoadPlan) -> str:
    """Return the load in words."""
    if plan.open:
        arrivals = "Poisson" if plan.arrivals == "poisson" else "even"
        shape = one_line(plan.shape)
        if shape.replace(".", "").isdigit():
            shape = f"{shape} a second"
        return (
            f"open loop, {arrivals} arrivals: {shape}, by at most "
            f"{counted(plan.users, 'user')}"
        )
    if plan.shaped:
        return "closed loop; the number of users follows the locustfile's LoadTestShape"
    wait = "with" if plan.think_time else "without"
    if plan.user_times:
        return f"closed loop {wait} think time; users: {one_line(plan.shape)}"
    return f"closed loop of {counted(plan.users, 'user')} {wait} think time"


def _cell(spread: Spread, name: str, bound: bool) -> str:
    metric = f"latency.{name}"
    if metric in QUANTILES and spread.count < requests_needed(metric):
        return "–"
    bound = bound or (name == "mean" and bool(spread.unanswered))
    return time_text(getattr(spread, name), bound)


def _load_noun(results: LoadResults) -> str:
    """Return the noun for the rate: requests, or tasks if a task can have several."""
    total = results.total
    return "requests" if total and total.requests == results.done else "tasks"


def _verdict(requirements: Sequence[Judgement]) -> str:
    verdicts = [item.verdict for item in requirements]
    if len(verdicts) == 1:
        only = requirements[0]
        verdict = {"holds": "holds", "refuted": "does not hold"}.get(
            only.verdict, "undecided"
        )
        return f"{one_line(only.text)}: {verdict} ({judgement(only)})."
    parts = [
        f"{verdicts.count(verdict)} {verb}"
        for verdict, verb in (
            ("holds", "hold"),
            ("refuted", "do not hold"),
            ("undecided", "are undecided"),
        )
        if verdict in verdicts
    ]
    return f"Of {counted(len(verdicts), 'requirement')}, {', '.join(parts)}."
