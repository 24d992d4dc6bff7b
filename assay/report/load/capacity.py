"""The report of a capacity search."""

from __future__ import annotations

from typing import Any

from assay.load_plan import LoadPlan
from assay.load_results import CapacityResults
from assay.report.charts import (
    COLOUR_A,
    COLOUR_B,
    COLOUR_LINE,
    Chart,
    as_svg,
    name_axes,
    plain_log_ticks,
)
from assay.report.load import words
from assay.report.load.trials import Trials
from assay.wording import counted, one_line, percent, scale_of, significant

COLUMNS = ("rate", "held", "requests", "failed", "p50", "p99", "reason")
METHOD = (
    "Arrivals came on a schedule, at a fixed rate in each trial. The rate was doubled "
    "until the objective was missed; then the interval was halved repeatedly. Near its "
    "limit a service meets an objective in one trial and misses it in the next. So "
    "both ends of the interval were tried several times, and the majority of the "
    "trials at each end decided."
)


def answer(results: CapacityResults) -> str:
    """Return the answer in a few sentences."""
    verdict = words.locustfile_verdict(results.locust_exit_code)
    sentences = " ".join([_finding(results), *verdict])
    if results.partial:
        return f"The search ended early, so the results are partial: {sentences}"
    return sentences


def _finding(results: CapacityResults) -> str:
    met = f"meets {one_line(results.objective)}"
    if not results.probes:
        return "No trial was completed."
    trials = counted(len(results.probes), "trial")
    if results.low is None:
        lowest = min((probe.rate for probe in results.probes), default=0.0)
        return (
            f"No rate {met}, down to {significant(lowest)} arrivals a second "
            f"({trials})."
        )
    low = significant(results.low)
    if results.high is None:
        if results.partial:
            return f"The service {met} at {low} arrivals a second ({trials})."
        return f"The service {met} up to at least {low} arrivals a second ({trials})."
    return (
        f"The service {met} up to {low} arrivals a second, and not at "
        f"{significant(results.high)} ({trials})."
    )


def rows(results: CapacityResults) -> list[list[str]]:
    """Return a row of cells (see `COLUMNS`) for each trial, the lowest rate first."""
    return [
        [
            f"{significant(probe.rate)}/s",
            "yes" if probe.held else "no",
            f"{probe.requests:,}",
            percent(probe.failed / probe.requests) if probe.requests else "–",
            words.time_text(probe.p50, probe.late),
            words.time_text(probe.p99, probe.late),
            one_line(probe.reason),
        ]
        for probe in sorted(results.probes, key=lambda probe: probe.rate)
    ]


def _verdict(results: CapacityResults) -> str:
    if results.partial:
        return "undecided"
    return "refuted" if results.low is None else "holds"


def trials(results: CapacityResults, plan: LoadPlan) -> Trials:
    """Return the content of the report."""
    return Trials(
        title=words.title(results, "Capacity", plan),
        answer=answer(results),
        columns=COLUMNS,
        rows=rows(results),
        items=results.probes,
        verdict=_verdict(results),
        required=results.objective,
        method=METHOD,
        chart=chart(results),
    )


def chart(results: CapacityResults) -> Chart | None:
    """Draw latency against rate, with the interval that contains the capacity."""
    answered = [
        probe
        for probe in sorted(results.probes, key=lambda probe: probe.rate)
        if probe.p99 is not None and probe.p99 != float("inf")
    ]
    if len(answered) < 2:
        return None
    scale, unit = scale_of(max(probe.p99 or 0.0 for probe in answered), "s")

    def draw(axes: Any) -> None:
        if results.low is not None:
            high = results.high or answered[-1].rate
            axes.axvspan(results.low, high, color=COLOUR_LINE, lw=0)
        for held, colour, marker in ((True, COLOUR_A, "o"), (False, COLOUR_B, "D")):
            probes = [probe for probe in answered if probe.held is held]
            for size, name in ((6, "p99"), (3, "p50")):
                values = [getattr(probe, name) / scale for probe in probes]
                axes.plot(
                    [probe.rate for probe in probes],
                    values,
                    marker,
                    color=colour,
                    ms=size,
                    mec="none",
                )
        axes.set_yscale("log")
        plain_log_ticks(axes)
        name_axes(axes, "arrivals per second", f"latency, {unit}")

    return Chart(
        "Latency against rate",
        "Large: p99; small: p50. Diamonds: the objective was missed. Band: from the "
        "highest rate that met it to the lowest that missed it.",
        as_svg(draw, answer(results)),
    )
