"""Run directories like those of `assay run` and `assay load`, without measuring."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from assay.load_plan import LoadPlan
from assay.load_results import LoadResults, Row, Spread
from assay.plan import Plan, Scenario, Target, Topic, Variant
from assay.results import Comparison, Results, Value
from assay.run_directory.load_run import LoadRun
from assay.run_directory.run import RunDirectory

FIRST_DAY = datetime(2026, 1, 5, 3, tzinfo=UTC)
MACHINE: dict[str, object] = {
    "platform": "Linux-6.1.0-18-amd64-x86_64-with-glibc2.36",
    "cpu": "AMD EPYC 7763",
    "cores": {"target": [0], "generator": [1]},
    "pinned": True,
    "memory": 8 * 2**30,
    "load average": [0.1, 0.1, 0.1],
    "python": "3.12.7",
    "versions": {"assay": "0.1.0", "locust": "2.43.1"},
}
TOPIC = "checkout"


def commit(number: int) -> str:
    """Return the commit of a run: its number is its last digits."""
    return f"c0ffee{number:02d}"


def environment(number: int, changed: Mapping[str, object] | None = None) -> object:
    """Return the content of environment.json of the run of that number."""
    return {
        "started": (FIRST_DAY + timedelta(days=number)).isoformat(),
        **MACHINE,
        "commits": {TOPIC: commit(number), "locustfile.py": commit(number)},
        **(changed or {}),
    }


def write_run(
    path: Path,
    number: int,
    values: Mapping[str, float],
    *,
    ratios: Mapping[str, float] | None = None,
    changed: Mapping[str, object] | None = None,
    topic: str = TOPIC,
    variant: str = "current",
    tests: Sequence[str] = ("",),
    partial: bool = False,
) -> RunDirectory:
    """Write a run.

    Args:
        path: The folder that gets the run.
        number: Number of the run, which sets its name, date and commit.
        values: Values of the variant by metric.
        ratios: Ratios of candidate and baseline by metric.
        changed: Entries of environment.json that differ from `MACHINE`.
        topic: Name of the topic.
        variant: Name of the variant.
        tests: Node ids that have these ratios.
        partial: The field `partial` of results.json.
    """
    planned = Topic(
        name=topic,
        title="Checkout",
        file=Path("scenarios/checkout/claims.toml"),
        target=Target(command="serve --port {port}", cwd=Path(".")),
        scenario=Scenario(locustfile=Path("locustfile.py")),
        variants=(Variant(name=variant),),
    )
    described = environment(number, changed)
    assert isinstance(described, dict)
    name = f"run-{number:03d}"
    run = RunDirectory.create(path / name, Plan(topics=(planned,)), described)
    run.write_results(
        Results(
            run=name,
            partial=partial,
            seed=number,
            values=tuple(
                Value(
                    topic=topic,
                    variant=variant,
                    metric=metric,
                    value=value,
                    low=value * 0.99,
                    high=value * 1.01,
                    launches=15,
                )
                for metric, value in values.items()
            ),
            comparisons=tuple(
                Comparison(
                    topic=topic,
                    test=test,
                    baseline="base",
                    candidate=variant,
                    metric=metric,
                    ratio=ratio,
                    low=ratio * 0.99,
                    high=ratio * 1.01,
                    launches=15,
                )
                for metric, ratio in (ratios or {}).items()
                for test in tests
            ),
        )
    )
    return run


def write_load_test(path: Path, number: int, median: float) -> LoadRun:
    """Write a load test of one kind of request."""
    spread = Spread(
        count=900,
        mean=median * 1.2,
        p50=median,
        p90=median * 2,
        p95=median * 3,
        p99=median * 4,
        p999=None,
        longest=median * 9,
    )
    described = environment(number)
    assert isinstance(described, dict)
    name = f"load-{number:03d}"
    plan = LoadPlan(locustfile=Path("locustfile.py"), host="http://u:pw@shop", users=5)
    run = LoadRun.create(path / name, plan, described)
    rows = (
        Row(name="", requests=900, failed=0, latency=spread, service=spread),
        Row(
            name="/orders",
            method="GET",
            requests=900,
            failed=0,
            latency=spread,
            service=spread,
        ),
    )
    run.write_results(
        LoadResults(
            run=name,
            partial=False,
            seed=1,
            host="http://u:pw@shop",
            planned=900,
            done=900,
            dropped=0,
            unserved=0,
            loaded=30.0,
            rate=30.0,
            lag_p50=0.0,
            lag_p99=0.0,
            stall=0.0,
            generator_cpu=0.2,
            rows=rows,
        )
    )
    return run


def steady(seed: int, runs: int = 60, sd: float = 0.01) -> NDArray[np.float64]:
    """Return logs of values whose level never changes."""
    return math.log(0.012) + np.random.default_rng(seed).normal(0, sd, runs)


def changing(seed: int, runs: int = 60) -> NDArray[np.float64]:
    """Return `steady` with 8 % more from run 20, 6 % less from run 45, and a spike."""
    logs = steady(seed, runs)
    logs[20:] += math.log(1.08)
    logs[45:] += math.log(0.94)
    logs[33] += math.log(1.5)
    return logs


def write_runs(path: Path, logs: NDArray[np.float64]) -> None:
    """Write a run for each value of `latency.p50`."""
    for number, value in enumerate(np.exp(logs)):
        write_run(path, number, {"latency.p50": float(value)})
