"""Many runs as series over time, with their changes: plain frozen data types."""

from datetime import datetime
from typing import Literal

from assay.plan import Data

HISTORY_SCHEMA = 1


class Point(Data):
    """One run's number.

    Attributes:
        run: Name of the run.
        date: When the run began.
        commit: The commit that was measured, with a `+` if it had uncommitted changes;
            empty if unknown.
        value: The value in the metric's unit, or the ratio candidate / baseline.
        low: Lower end of its interval; None if there is none.
        high: Upper end.
    """

    run: str
    date: datetime
    commit: str
    value: float
    low: float | None
    high: float | None


class Change(Data):
    """A place in a series where its level changes.

    Attributes:
        first: Index of the first point with the new level, as far as can be told.
        earliest: The least index that this point may have instead.
        latest: The greatest such index.
        date: When the run of `first` began.
        last_before: Commit of the last run that has the old level, with a confidence of
            95 %.
        first_after: Commit of the first run that has the new level, likewise.
        ratio: New level / old level.
        low: Lower end of the interval of the ratio.
        high: Upper end.
        p: p-value of this change, corrected for all places of the series.
        also_changed: What else differs between these two runs, such as the version of
            a package.
    """

    first: int
    earliest: int
    latest: int
    date: datetime
    last_before: str
    first_after: str
    ratio: float
    low: float
    high: float
    p: float
    also_changed: tuple[str, ...] = ()


class Drift(Data):
    """A series that grows or shrinks steadily, which no single run explains.

    Attributes:
        ratio: Level at the last run / level at the first run.
        low: Lower end of the interval of the ratio.
        high: Upper end.
    """

    ratio: float
    low: float
    high: float


class Series(Data):
    """The same number over many runs, on one machine and by one method.

    Attributes:
        kind: `values`: a metric of one variant; `comparisons`: the ratio of a metric,
            candidate / baseline.
        topic: Name of the topic; for a load test, of its locustfile.
        test: pytest node id of a benchmark, or the request of a load test; empty for
            all others.
        variant: The variant, or the candidate; for a load test, the host.
        baseline: The baseline of a comparison; empty for values.
        machine: The machine, in words; another machine is another series.
        method: How it was measured, in words; another method is another series.
        points: Oldest first.
        changes: Where the level changes, oldest first.
        drift: The drift; None if there is none. A series that drifts has no changes.
        unexamined: Why it was not searched for changes; empty if it was.
    """

    kind: Literal["values", "comparisons"]
    topic: str
    test: str
    variant: str
    baseline: str
    metric: str
    machine: str
    method: str
    points: tuple[Point, ...]
    changes: tuple[Change, ...] = ()
    drift: Drift | None = None
    unexamined: str = ""


class SkippedRun(Data):
    """A run that is not part of the history, and why."""

    place: str
    reason: str


class HistoryResults(Data):
    """The history of many runs.

    Attributes:
        runs: How many runs were read.
        series: All series; those that change come first.
        skipped: Runs that were left out.
    """

    schema_: int = HISTORY_SCHEMA
    runs: int
    series: tuple[Series, ...]
    skipped: tuple[SkippedRun, ...] = ()
