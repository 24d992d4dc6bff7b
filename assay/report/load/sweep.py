"""The report of a sweep: how throughput grows with the number of users."""

from __future__ import annotations

import math
from typing import Any

from assay.load_plan import LoadPlan
from assay.load_results import SweepResults
from assay.report.charts import (
    COLOUR_A,
    COLOUR_B,
    COLOUR_LINE,
    Chart,
    as_svg,
    name_axes,
)
from assay.report.load import words
from assay.report.load.trials import Trials
from assay.wording import counted, percent, significant

COLUMNS = ("users", "requests/s", "fitted", "requests", "failed", "p50", "p99")
MAX_MISFIT = 0.15  # with a larger misfit, the law does not describe the service
METHOD = (
    "In a closed loop, each user waits for the answer before the next request. Each "
    "number of users was tried twice, each time in a new random order. The curve is "
    "the Universal Scalability Law: contention is the share of the work that waits "
    "for its turn; crosstalk is the share of work that two users cause each other."
)


def answer(results: SweepResults) -> str:
    """Return the answer in a few sentences."""
    verdict = words.locustfile_verdict(results.locust_exit_code)
    sentences = " ".join([_finding(results), *verdict])
    if results.partial:
        return f"The sweep ended early, so the results are partial: {sentences}"
    return sentences


def _finding(results: SweepResults) -> str:
    if not results.points:
        return "No trial was completed."
    best = max(results.points, key=lambda point: point.rate)
    measured = (
        f"Throughput was greatest at {counted(best.users, 'user')}: "
        f"{significant(best.rate)} requests a second."
    )
    law = results.law
    if law is None:
        return (
            f"{measured} Fitting the Universal Scalability Law takes at least four "
            "different numbers of users."
        )
    if law.misfit > MAX_MISFIT:
        return (
            f"{measured} The Universal Scalability Law misses one throughput by "
            f"{percent(law.misfit)}, so it does not describe this service."
        )
    fitted = (
        f"By the fitted law, {percent(law.contention)} of the work waits for its turn "
        f"and {percent(law.coherency)} is crosstalk"
    )
    if math.isinf(law.best):
        return (
            f"{measured} {fitted}: each further user adds less, but throughput never "
            "falls."
        )
    most_users = max(point.users for point in results.points)
    untried = ", which is more than was tried" if law.best > most_users else ""
    return (
        f"{measured} {fitted}: throughput falls beyond "
        f"{counted(max(1, round(law.best)), 'user')}{untried}."
    )


def rows(results: SweepResults) -> list[list[str]]:
    """Return a row of cells (see `COLUMNS`) for each trial."""
    law = results.law
    return [
        [
            f"{point.users:,}",
            significant(point.rate),
            significant(law.throughput(point.users)) if law else "–",
            f"{point.requests:,}",
            percent(point.failed / point.requests) if point.requests else "–",
            words.time_text(point.p50, point.bound),
            words.time_text(point.p99, point.bound),
        ]
        for point in results.points
    ]


def trials(results: SweepResults, plan: LoadPlan) -> Trials:
    """Return the content of the report."""
    return Trials(
        title=words.title(results, "Scalability", plan),
        answer=answer(results),
        columns=COLUMNS,
        rows=rows(results),
        items=results.points,
        verdict="undecided" if results.partial else "holds",
        required="the sweep was completed",
        method=METHOD,
        chart=chart(results),
    )


def chart(results: SweepResults) -> Chart | None:
    """Draw throughput against users, with the fitted law and linear scaling."""
    points, law = results.points, results.law
    if len({point.users for point in points}) < 2:
        return None
    most_users = max(point.users for point in points)
    highest = max(point.rate for point in points)

    def draw(axes: Any) -> None:
        import numpy as np
        from matplotlib.ticker import MaxNLocator

        if law is not None:
            users = np.linspace(1, most_users, 200)
            linear = law.rate * users
            axes.plot(users, linear, "--", color=COLOUR_LINE, lw=1.2)
            axes.plot(users, [law.throughput(x) for x in users], color=COLOUR_A, lw=1.6)
        for failed, colour, marker in ((False, COLOUR_A, "o"), (True, COLOUR_B, "D")):
            shown = [point for point in points if bool(point.failed) is failed]
            axes.plot(
                [point.users for point in shown],
                [point.rate for point in shown],
                marker,
                color=colour,
                ms=6,
                mec="none",
            )
        axes.set_ylim(0, 1.15 * highest)
        axes.set_xlim(0, 1.03 * most_users)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        name_axes(axes, "users", "requests per second")

    return Chart(
        "Throughput against users",
        "Dots: trials. Diamonds: trials with failed requests, which do not count. "
        "Curve: the fitted law. Dashed: linear scaling.",
        as_svg(draw, answer(results)),
    )
