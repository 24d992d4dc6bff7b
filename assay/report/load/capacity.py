"""What a search for the capacity found, in the formats of a load test."""

from __future__ import annotations

from typing import Any

from assay.load_plan import LoadPlan
from assay.load_results import CapacityResults
from assay.report.charts import (
    LINE,
    A,
    B,
    Chart,
    as_svg,
    axis_unit,
    name_axes,
    plain_log_ticks,
)
from assay.report.load import words
from assay.report.load.trials import Trials
from assay.wording import counted, one_line, percent, significant

HEAD = ("rate", "held", "requests", "failed", "p50", "p99", "why not")
METHOD = (
    "Arrivals came on a schedule, at one rate for each trial; rates were doubled until "
    "the objective was missed, then halved in between. Near its limit a service meets "
    "an objective at one time and misses it at another: each end of the interval was "
    "tried several times, and most of its trials decided."
)


def answer(results: CapacityResults) -> str:
    """Return the sentence that a reader came for."""
    said = " ".join([_found(results), *words.own_code(results.locust_exit_code)])
    if results.partial:
        return f"The search ended before its time, and this is partial: {said}"
    return said


def _found(results: CapacityResults) -> str:
    met = f"meets {one_line(results.objective)}"
    if not results.probes:
        return "No trial came to its end."
    tried = counted(len(results.probes), "trial")
    if results.low is None:
        least = min((probe.rate for probe in results.probes), default=0.0)
        return (
            f"No rate {met}, down to {significant(least)} arrivals a second ({tried})."
        )
    low = significant(results.low)
    if results.high is None:
        if results.partial:
            return f"The service {met} at {low} arrivals a second ({tried})."
        return f"The service {met} at {low} arrivals a second and more ({tried})."
    return (
        f"The service {met} up to {low} arrivals a second, and not at "
        f"{significant(results.high)} ({tried})."
    )


def rows(results: CapacityResults) -> list[list[str]]:
    """Return the trials as the cells of `HEAD`, the lowest rate first."""
    return [
        [
            f"{significant(probe.rate)}/s",
            "yes" if probe.held else "no",
            f"{probe.requests:,}",
            percent(probe.failed / probe.requests) if probe.requests else "–",
            words.amount(probe.p50, probe.late),
            words.amount(probe.p99, probe.late),
            one_line(probe.reason),
        ]
        for probe in sorted(results.probes, key=lambda probe: probe.rate)
    ]


def _verdict(results: CapacityResults) -> str:
    if results.partial:
        return "undecided"
    return "refuted" if results.low is None else "holds"


def trials(results: CapacityResults, plan: LoadPlan) -> Trials:
    """Return what every format says of it."""
    return Trials(
        title=f"Capacity of {words.subject(plan)}",
        answer=answer(results),
        head=HEAD,
        rows=rows(results),
        items=results.probes,
        verdict=_verdict(results),
        required=results.objective,
        method=METHOD,
        chart=picture(results),
    )


def picture(results: CapacityResults) -> Chart | None:
    """Draw latency against rate, with the interval of the capacity."""
    known = [
        probe
        for probe in sorted(results.probes, key=lambda probe: probe.rate)
        if probe.p99 is not None and probe.p99 != float("inf")
    ]
    if len(known) < 2:
        return None
    scale, unit = axis_unit(max(probe.p99 or 0.0 for probe in known), "s")

    def draw(axes: Any) -> None:
        if results.low is not None:
            high = results.high or known[-1].rate
            axes.axvspan(results.low, high, color=LINE, lw=0)
        for held, colour, marker in ((True, A, "o"), (False, B, "D")):
            own = [probe for probe in known if probe.held is held]
            for size, name in ((6, "p99"), (3, "p50")):
                values = [getattr(probe, name) / scale for probe in own]
                axes.plot(
                    [probe.rate for probe in own],
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
        "Large: p99, small: p50. Diamonds: the objective was not met. Band: between "
        "the highest rate that met it and the lowest that did not.",
        as_svg(draw, answer(results)),
    )
