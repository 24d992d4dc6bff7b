"""What a load test came to, in words and cells that all formats share."""

import math
from collections.abc import Sequence

from assay.analysis import load_failures
from assay.load_plan import LoadPlan
from assay.load_results import Judgement, LoadResults, Row, Spread
from assay.metrics import QUANTILES, requests_needed
from assay.wording import counted, judgement, one_line, percent, quantity, significant

HEAD = ("mean", "p50", "p90", "p95", "p99", "p99.9", "longest")
_FIELDS = ("mean", "p50", "p90", "p95", "p99", "p999", "longest")


def subject(plan: LoadPlan) -> str:
    """Return what was loaded: the host, or what says where it is."""
    return one_line(plan.host) or one_line(plan.locustfile.name)


def answer(plan: LoadPlan, results: LoadResults) -> str:
    """Return the sentence that a reader came for."""
    said = [*wrong(results)]
    if results.requirements:
        said.append(_verdict(results.requirements))
    around = [*load_failures.told(results), *[partial(results)] * results.partial]
    every = results.together
    if every is None:
        return " ".join([*said, "No request was made.", *around])
    known = dict(zip(HEAD, cells(every.latency, results.bound), strict=True))
    tail = next((n for n in ("p99", "p95", "p90") if known[n] != "–"), "longest")
    said.append(
        f"{significant(results.rate)} {_tasks(results)} a second for "
        f"{quantity(results.loaded, 's')}: median latency {known['p50']}, {tail} "
        f"{known[tail]}, {percent(every.failed / every.requests)} of requests failed."
    )
    lost = results.dropped + results.unserved
    if lost:
        said.append(
            f"{counted(lost, 'arrival')} of {results.planned:,} were never served."
        )
    return " ".join([*said, *around])


def wrong(results: LoadResults) -> list[str]:
    """Return what is wrong whatever was required, in sentences."""
    nothing = load_failures.nothing_succeeded(results)
    return [*([nothing] if nothing else []), *own_code(results.locust_exit_code)]


def own_code(code: int | None) -> list[str]:
    """Return what the locustfile says of a test itself, where it says that it failed.

    Args:
        code: The ``process_exit_code`` that it has set; None if it set none.
    """
    if not code:
        return []
    return [f"The locustfile has set process_exit_code to {code}."]


def partial(results: LoadResults) -> str:
    """Say why a test is partial."""
    lost = sum(1 for worker in results.workers if worker.lost)
    if results.limit:
        return "The generator's own machine was the limit: this is partial."
    if results.missing:
        return "Not all samples are on disk: this is partial."
    if lost:
        return (
            f"{counted(lost, 'worker')} of {len(results.workers)} "
            f"{'was' if lost == 1 else 'were'} lost: this is partial."
        )
    return "The test ended before its time: this is partial."


WORKER_HEAD = ("share", "planned", "done", "dropped", "unserved", "lag p99", "state")


def workers(results: LoadResults) -> list[tuple[str, list[str]]]:
    """Return each worker's name and the cells of `WORKER_HEAD`."""
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
    """Return how long requests took, as the cells of `HEAD`.

    A percentile with too few requests beyond it is left out, and a mean to which
    requests without an answer belong is a lower bound.

    Args:
        spread: How long they took.
        bound: Whether every number is a lower bound, see `LoadResults.bound`.
    """
    return [_cell(spread, name, bound) for name in _FIELDS]


def amount(seconds: float | None, bound: bool = False) -> str:
    """Return a time; ``∞`` where it was waited for in vain.

    Args:
        seconds: The time; None where there is none.
        bound: Whether it is a lower bound: ``≥ 12.0 ms``.
    """
    if seconds is None:
        return "–"
    if math.isinf(seconds):
        return "∞"
    return f"{'≥ ' if bound else ''}{quantity(seconds, 's')}"


def name_of(row: Row) -> str:
    """Return what a row is called."""
    return one_line(row.title)


def errors(results: LoadResults) -> list[tuple[str, int]]:
    """Return each error and how often it came: of requests, then of tasks."""
    return [
        (one_line(error), count)
        for error, count in (*results.errors.items(), *results.raised.items())
    ]


def load_of(plan: LoadPlan) -> str:
    """Return what the load was."""
    if plan.open:
        how = "Poisson" if plan.arrivals == "poisson" else "even"
        shape = one_line(plan.shape)
        shape = f"{shape} a second" if shape.replace(".", "").isdigit() else shape
        return (
            f"open loop, {how} arrivals: {shape}, by at most "
            f"{counted(plan.users, 'user')}"
        )
    if plan.shaped:
        return "closed loop of as many users as the locustfile's LoadTestShape says"
    wait = "with" if plan.think_time else "without"
    return f"closed loop of {counted(plan.users, 'user')} {wait} think time"


def _cell(spread: Spread, name: str, bound: bool) -> str:
    metric = f"latency.{name}"
    if metric in QUANTILES and spread.count < requests_needed(metric):
        return "–"
    bound = bound or (name == "mean" and bool(spread.unanswered))
    return amount(getattr(spread, name), bound)


def _tasks(results: LoadResults) -> str:
    every = results.together
    return "requests" if every and every.requests == results.done else "tasks"


def _verdict(requirements: Sequence[Judgement]) -> str:
    words = [item.verdict for item in requirements]
    if len(words) == 1:
        only = requirements[0]
        said = {"holds": "holds", "refuted": "does not hold"}.get(only.verdict)
        return f"{one_line(only.text)}: {said or 'undecided'} ({judgement(only)})."
    parts = [
        f"{words.count(word)} {said}"
        for word, said in (
            ("holds", "hold"),
            ("refuted", "do not hold"),
            ("undecided", "are undecided"),
        )
        if word in words
    ]
    return f"Of {counted(len(words), 'requirement')}, {', '.join(parts)}."
