"""Directories of load tests that nobody ran."""

import math
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from assay.load import protocol
from assay.loadtest.plan import (
    CapacityResults,
    LoadPlan,
    Probe,
    SweepPoint,
    SweepResults,
)
from assay.loadtest.runs import ITERATIONS, REQUESTS, LoadRun

HOST = "http://me:S3CRET@shop:8000/?api_key=S3CRET"


def plan(folder: Path, **changes: object) -> LoadPlan:
    """Return a plan that is full of secrets."""
    given = {
        "locustfile": folder / "visitors.py",
        "host": HOST,
        "locust": ("--api-token", "S3CRET", "--password=S3CRET", "--path", "/x"),
        "times": (0.0, 10.0),
        "rates": (10.0, 10.0),
        "duration": 10.0,
        "shape": "10",
        "command": f"assay load visitors.py --host '{HOST}' -- --api-token S3CRET",
    }
    return LoadPlan.model_validate({**given, **changes})


def finished(
    folder: Path, samples: Sequence[tuple[float, float, int]], **changes: object
) -> LoadRun:
    """Return the directory of a test of 10 s.

    Args:
        folder: Where it is made.
        samples: When each request was due and had ended, and how it failed.
        changes: To the plan.
    """
    run = LoadRun.create(folder / "run", plan(folder, **changes), {})
    run.write_names(["/look"])
    due = [sample[0] for sample in samples]
    columns = {
        "scheduled": due,
        "start": [
            math.nan if math.isnan(end) else begin + 0.001 for begin, end, _ in samples
        ],
        "end": [end for _, end, _ in samples],
        "name": [0] * len(samples),
        "user": [0] * len(samples),
        "failed": [failed for _, _, failed in samples],
    }
    types = dict(protocol.COLUMNS)
    kinds = {"d": pa.float64(), "H": pa.uint16(), "B": pa.uint8()}
    table = pa.table(
        {name: pa.array(own, kinds[types[name]]) for name, own in columns.items()}
    )
    run.write_samples(REQUESTS, 1, table)
    run.write_samples(ITERATIONS, 1, table.slice(0, 0))
    count = len(samples)
    for second in range(1, 11):
        tick = {
            **{"at": float(second), "planned": count, "done": count, "dropped": 0},
            **{"requests": count // 10, "generator_cpu": 0.3, "errors": {}},
            **{"lag_p50": 1e-4, "lag_p99": 2e-4, "stall": 0.0, "p50": 0.1, "p99": 0.2},
        }
        last = {"last": True, "loaded": 10.0, "unserved": 0} if second == 10 else {}
        run.append_tick({**tick, **last})
    return run


def probe(rate: float, held: bool) -> Probe:
    """Return a trial of a rate."""
    return Probe(rate=rate, held=held, requests=100, failed=3, p50=0.01, p99=0.02)


def searched(folder: Path, partial: bool = False, low: float | None = 100) -> LoadRun:
    """Return the directory of a search for the capacity."""
    run = LoadRun.create(folder / "run", plan(folder, trials="capacity"), {})
    run.write_trials(
        CapacityResults(
            run=run.name,
            partial=partial,
            seed=1,
            host="http://***@shop:8000/",
            objective="latency.p99 <= 50ms",
            low=low,
            high=None if partial else 105,
            most=1000,
            probes=(probe(100, low is not None), probe(105, False)),
            warnings=("=so it was",),
        )
    )
    return run


def swept(folder: Path, partial: bool = False) -> LoadRun:
    """Return the directory of a sweep."""
    run = LoadRun.create(folder / "run", plan(folder, trials="sweep"), {})
    points = tuple(
        SweepPoint(
            users=users,
            rate=rate,
            requests=99,
            failed=0,
            p50=0.01,
            p99=0.02,
            generator=0.1,
        )
        for users, rate in ((1, 90.0), (2, 170.0))
    )
    run.write_trials(
        SweepResults(
            run=run.name,
            partial=partial,
            seed=1,
            host="http://***@shop:8000/",
            points=points,
            law=None,
        )
    )
    return run
