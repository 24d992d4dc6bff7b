"""The data types of a history: many runs as series over time, with their changes."""

from datetime import datetime
from typing import Literal

from assay.plan import Data

HISTORY_SCHEMA = 1


class Point(Data):
    """One point of a series: the number that one run measured.

    Attributes:
        run: Name of the run.
        date: When the run began.
        commit: The commit that was measured, with a `+` if it had uncommitted changes;
            empty if unknown.
        value: The value in the metric's unit, or the ratio candidate / baseline.
        low: Lower end of its interval; None if it is unknown.
        high: Upper end; None if it is unknown.
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
        first: The most likely index of the first point with the new level.
        earliest: The smallest index that this point may have, with 95 % confidence.
        latest: The largest index that this point may have, with 95 % confidence.
        date: When the run at `first` began.
        last_before: Commit of the last run before `earliest`. This run still has the
            old level.
        first_after: Commit of the run at `latest`. This run already has the new level.
        ratio: New level / old level.
        low: Lower end of the interval of the ratio.
        high: Upper end.
        p: p-value of this change, corrected for the number of places where it could
            be.
        also_changed: What else differs between the runs of `last_before` and
            `first_after`, such as the version of a package.
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
    """A steady rise or fall of a series, which no single run explains.

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
        kind: `values` for a metric of one variant; `comparisons` for the ratio
            candidate / baseline of a metric.
        topic: Name of the topic; for a load test, of its locustfile.
        test: pytest node id of a benchmark, or the request of a load test; empty for
            all others.
        variant: The variant, or the candidate; for a load test, the host.
        baseline: The baseline of a comparison; empty for values.
        machine: The machine, in words; another machine starts another series.
        method: How it was measured, in words; another method starts another series.
        points: The numbers of the runs, oldest first.
        changes: The changes of the level, oldest first.
        drift: The drift; None if there is none. A series with a drift has no changes.
        unexamined: Why the series was not searched for changes; empty if it was.
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
    """A run that was left out of the history, and the reason."""

    place: str
    reason: str


class HistoryResults(Data):
    """The history of many runs.

    Attributes:
        runs: How many runs were read.
        series: All series; those with changes or a drift come first.
        skipped: Runs that were left out.
    """

    schema_: int = HISTORY_SCHEMA
    runs: int
    series: tuple[Series, ...]
    skipped: tuple[SkippedRun, ...] = ()
