"""How throughput grows with users, in the formats of a load test."""

from __future__ import annotations

import math
from typing import Any

from assay.load_plan import LoadPlan
from assay.load_results import SweepResults
from assay.report.charts import LINE, A, B, Chart, as_svg, name_axes
from assay.report.load import words
from assay.report.load.trials import Trials
from assay.wording import counted, percent, significant

HEAD = ("users", "requests/s", "by the law", "requests", "failed", "p50", "p99")
POOR = 0.15  # a law that misses a throughput by more does not describe it
METHOD = (
    "Users in a closed loop each wait for their answer before they ask again. Every "
    "number of users was tried twice, in an order of its own each time. The curve is "
    "the Universal Scalability Law: contention is the share of the work that waits "
    "for its turn, crosstalk the share that users cause each other."
)


def answer(results: SweepResults) -> str:
    """Return the sentence that a reader came for."""
    said = " ".join([_found(results), *words.own_code(results.locust_exit_code)])
    if results.partial:
        return f"The sweep ended before its time, and this is partial: {said}"
    return said


def _found(results: SweepResults) -> str:
    if not results.points:
        return "No trial came to its end."
    top = max(results.points, key=lambda point: point.rate)
    said = (
        f"Throughput was greatest at {counted(top.users, 'user')}: "
        f"{significant(top.rate)} requests a second."
    )
    law = results.law
    if law is None:
        return f"{said} Four different numbers of users are needed for a law of it."
    if law.misfit > POOR:
        return (
            f"{said} The Universal Scalability Law misses a throughput by "
            f"{percent(law.misfit)}, so it does not describe this service."
        )
    fitted = (
        f"By the law fitted to it, {percent(law.contention)} of the work waits for its "
        f"turn and {percent(law.coherency)} is crosstalk"
    )
    if math.isinf(law.best):
        return f"{said} {fitted}: more users add less and less, but take nothing away."
    most = max(point.users for point in results.points)
    beyond = ", beyond what was tried" if law.best > most else ""
    return (
        f"{said} {fitted}: more than {counted(max(1, round(law.best)), 'user')} make "
        f"it slower{beyond}."
    )


def rows(results: SweepResults) -> list[list[str]]:
    """Return the trials as the cells of `HEAD`."""
    law = results.law
    return [
        [
            f"{point.users:,}",
            significant(point.rate),
            significant(law.throughput(point.users)) if law else "–",
            f"{point.requests:,}",
            percent(point.failed / point.requests) if point.requests else "–",
            words.amount(point.p50, point.bound),
            words.amount(point.p99, point.bound),
        ]
        for point in results.points
    ]


def trials(results: SweepResults, plan: LoadPlan) -> Trials:
    """Return what every format says of it."""
    return Trials(
        title=f"Scalability of {words.subject(plan)}",
        answer=answer(results),
        head=HEAD,
        rows=rows(results),
        items=results.points,
        verdict="undecided" if results.partial else "holds",
        required="the sweep came to its end",
        method=METHOD,
        chart=picture(results),
    )


def picture(results: SweepResults) -> Chart | None:
    """Draw throughput against users, with the law and its straight line."""
    points, law = results.points, results.law
    if len({point.users for point in points}) < 2:
        return None
    most = max(point.users for point in points)
    highest = max(point.rate for point in points)

    def draw(axes: Any) -> None:
        import numpy as np
        from matplotlib.ticker import MaxNLocator

        if law is not None:
            users = np.linspace(1, most, 200)
            straight = law.rate * users
            axes.plot(users, straight, "--", color=LINE, lw=1.2)
            axes.plot(users, [law.throughput(x) for x in users], color=A, lw=1.6)
        for failed, colour, marker in ((False, A, "o"), (True, B, "D")):
            own = [point for point in points if bool(point.failed) is failed]
            axes.plot(
                [point.users for point in own],
                [point.rate for point in own],
                marker,
                color=colour,
                ms=6,
                mec="none",
            )
        axes.set_ylim(0, 1.15 * highest)
        axes.set_xlim(0, 1.03 * most)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        name_axes(axes, "users", "requests per second")

    return Chart(
        "Throughput against users",
        "Dots: trials (diamonds: some requests failed, which do not count). Curve: the "
        "law fitted to them. Dashed: if no user disturbed another.",
        as_svg(draw, answer(results)),
    )
