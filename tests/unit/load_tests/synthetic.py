"""Run directories of load tests, made without running a test."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pyarrow as pa

from assay.load import protocol
from assay.load.lateness import binned
from assay.load_plan import LoadPlan
from assay.load_results import CapacityResults, Name, Probe, SweepPoint, SweepResults
from assay.run_directory.load_run import ITERATIONS, REQUESTS, LoadRun

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


LOOK = Name("request", "GET", "/look")
TYPES = {"d": pa.float64(), "H": pa.uint16(), "B": pa.uint8(), "I": pa.uint32()}


@dataclass(frozen=True)
class Sample:
    """A request or a task of several requests, which the generator sends 1 ms late.

    Attributes:
        due: When it was due.
        end: When it ended; NaN if it never ended.
        failed: The value of the column `failed`.
        name: The name of its row.
        waited: Seconds that it waited for a user.
        status: HTTP status of its answer.
        size: Bytes of its answer.
    """

    due: float
    end: float
    failed: int = 0
    name: Name = LOOK
    waited: float = 0.0
    status: int = 0
    size: int = 0

    @property
    def start(self) -> float:
        """When it was sent; NaN if it never was."""
        return math.nan if math.isnan(self.end) else self.due + self.waited + 0.001


def table(samples: Sequence[Sample], names: Sequence[Name]) -> pa.Table:
    """Return samples as a table, as it is stored on disk."""
    columns = {
        "scheduled": [sample.due for sample in samples],
        "start": [sample.start for sample in samples],
        "end": [sample.end for sample in samples],
        "waited": [sample.waited for sample in samples],
        "name": [names.index(sample.name) for sample in samples],
        "user": [0] * len(samples),
        "failed": [sample.failed for sample in samples],
        "status": [sample.status for sample in samples],
        "size": [sample.size for sample in samples],
    }
    # Columns that the protocol has get the protocol's types.
    types = {"waited": "d", **dict(protocol.COLUMNS)}
    return pa.table(
        {name: pa.array(own, TYPES[types[name]]) for name, own in columns.items()}
    )


def ticks(
    samples: Sequence[Sample], iterations: Sequence[Sample] = (), **changes: object
) -> list[dict[str, Any]]:
    """Return a generator's ticks of ten seconds.

    Args:
        samples: The requests, spread evenly over the seconds.
        iterations: Tasks of several requests, which all end in the last second.
        changes: Fields of every tick; `last` has fields of the last tick only.
    """
    count, told = len(samples), []
    for second in range(1, 11):
        ended = count * second // 10 - count * (second - 1) // 10
        header: dict[str, Any] = {
            **{"at": float(second), "began": 0.0, "planned": count, "done": count},
            **{"dropped": 0, "in_flight": 0, "backlog": 0, "users": 3},
            **{"requests": ended, "iterations": 0, "generator_cpu": 0.3},
            **{"tasks": {}, "raised": {}, "errors": {}, "limit": ""},
            **{"lag_p50": 1e-4, "lag_p99": 2e-4, "own_p50": 7e-4, "own_p99": 1.1e-3},
            **{"lags": binned([1e-4] * ended), "own": binned([7e-4] * ended)},
            **{"notes": [], "tracebacks": {}},
            **{"stall": 0.0, "reconnects": 0, "p50": 0.1, "p99": 0.2},
        }
        told.append(header | {k: v for k, v in changes.items() if k != "last"})
    last = cast(dict[str, Any], changes.get("last", {}))
    ending = {"last": True, "loaded": 10.0, "unserved": 0, "ended_by": ""}
    told[-1] |= {**ending, "iterations": len(iterations), **last}
    return told


def written(
    folder: Path,
    samples: Sequence[Sample],
    tasks: Sequence[Sample] = (),
    told: Sequence[dict[str, Any]] | None = None,
    **changes: object,
) -> LoadRun:
    """Return the directory of a test of 10 s.

    Args:
        folder: The folder that gets the directory.
        samples: The requests.
        tasks: The tasks of several requests.
        told: The generator's ticks; by default those of `ticks`.
        changes: Fields of the plan.
    """
    run = LoadRun.create(folder / "run", plan(folder, **changes), {})
    names = list(dict.fromkeys(sample.name for sample in (*samples, *tasks))) or [LOOK]
    run.write_names(names)
    run.write_samples(REQUESTS, 1, table(samples, names))
    run.write_samples(ITERATIONS, 1, table(tasks, names))
    for tick in ticks(samples, tasks) if told is None else told:
        run.append_tick(tick)
    return run


def finished(
    folder: Path, samples: Sequence[tuple[float, float, int]], **changes: Any
) -> LoadRun:
    """Return the directory of a test of 10 s with one kind of request.

    Args:
        folder: The folder that gets the directory.
        samples: When each request was due and when it ended, and how it failed.
        changes: Fields of the plan.
    """
    return written(folder, [Sample(*sample) for sample in samples], **changes)


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
