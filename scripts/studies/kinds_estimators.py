"""Several estimators of throughput, by what they scatter on identical code.

They are computed anew from the samples that runs have kept: for each closed slice
one number, for each block the log ratio of its two sides, for each launch the
median over its undisturbed blocks, as Assay does it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.run_directory.run import RunDirectory
from scripts.studies.kinds_known import SIDES
from scripts.studies.kinds_page import spread
from scripts.studies.pages import headed

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Slice:
    """The requests of one closed slice that were answered, in order of their start.

    Attributes:
        began: When the slice began; seconds on the clock of `start` and `end`.
        users: Of its closed loop.
        user: Who asked; None where the samples do not say.
    """

    began: float
    users: int
    start: Floats
    end: Floats
    user: NDArray[np.int64] | None


def until_last_end(found: Slice) -> float:
    """Return the count over the time until the last request ended."""
    return len(found.end) / (float(found.end.max()) - found.began)


def by_response(found: Slice) -> float:
    """Return users / mean response time: Little's law, without think time."""
    return found.users / float((found.end - found.start).mean())


def by_later_responses(found: Slice) -> float:
    """Return the same without each user's first request.

    Where nobody says whose a request is, the first so many as there are users are
    left out: all begin at once.
    """
    later = _later(found)
    if not later.any():
        return float("nan")
    return found.users / float((found.end - found.start)[later].mean())


def by_cycle(found: Slice) -> float:
    """Return users / (mean response + mean gap until the user's next request)."""
    gap = _mean_gap(found)
    return found.users / (float((found.end - found.start).mean()) + gap)


def by_later_cycle(found: Slice) -> float:
    """Return the same without each user's first request."""
    later = _later(found)
    if not later.any():
        return float("nan")
    mean = float((found.end - found.start)[later].mean())
    return found.users / (mean + _mean_gap(found))


ESTIMATORS: Mapping[str, Callable[[Slice], float]] = {
    "count / time until the last end": until_last_end,
    "users / mean response": by_response,
    "… without first requests": by_later_responses,
    "users / (mean response + mean gap)": by_cycle,
    "… without first requests ": by_later_cycle,
}


def table(runs: Mapping[str, Sequence[Path]]) -> str:
    """Return the spread of each estimator for each kind.

    Args:
        runs: Kind to its run directories.
    """
    rows = []
    for kind, paths in runs.items():
        found: dict[str, list[float]] = {name: [] for name in ESTIMATORS}
        for path in paths:
            for name, ratios in log_ratios(path, kind).items():
                found[name] += ratios
        count = max((len(ratios) for ratios in found.values()), default=0)
        if count:
            rows.append([kind, str(count), *(spread(x) for x in found.values())])
    return headed(["kind", "launches", *(name.strip() for name in ESTIMATORS)], rows)


def log_ratios(path: Path, topic: str) -> dict[str, list[float]]:
    """Return each estimator's log ratios of the launches of a run."""
    found: dict[str, list[float]] = {name: [] for name in ESTIMATORS}
    blocks: dict[int, dict[int, dict[str, Slice]]] = {}
    for launch, block, side, one in slices(RunDirectory.open(path), topic):
        blocks.setdefault(launch, {}).setdefault(block, {})[side] = one
    for own in blocks.values():
        pairs = [sides for sides in own.values() if set(sides) == set(SIDES)]
        for name, estimate in ESTIMATORS.items():
            x = [np.log(estimate(p[SIDES[1]]) / estimate(p[SIDES[0]])) for p in pairs]
            if known := [value for value in x if np.isfinite(value)]:
                found[name].append(float(np.median(known)))
    return found


def slices(run: RunDirectory, topic: str) -> Iterator[tuple[int, int, str, Slice]]:
    """Yield launch, block and side of each undisturbed closed slice, and the slice.

    Launches that were too disturbed to count are left out.
    """
    rows, samples, counted = run.slices(), run.samples(topic), run.launches()
    if rows.empty or samples.empty or counted.empty:
        return
    samples = samples[samples["launch"].isin(counted["launch"])]
    keys = ["launch", "block", "variant"]
    fine = rows[(rows["mode"] == "closed") & ~rows["disturbed"]].set_index(keys)
    closed = samples[
        (samples["mode"] == "closed")
        & ~samples["disturbed"]
        & ~samples["failed"]
        & samples["end"].notna()
    ].sort_values("start", kind="stable")
    for at, own in closed.groupby(keys, observed=True):
        key: Any = at
        launch, block, side = key
        if side in SIDES and key in fine.index:
            row: Any = fine.loc[key]
            yield int(launch), int(block), str(side), Slice(
                began=float(row["started"]),
                users=int(row["users"]),
                start=own["start"].to_numpy(dtype=float),
                end=own["end"].to_numpy(dtype=float),
                user=(
                    own["user"].to_numpy(dtype=np.int64)
                    if "user" in own.columns
                    else None
                ),
            )


def _later(found: Slice) -> NDArray[np.bool_]:
    """Say of each request whether its user had asked before in the slice."""
    later = np.ones(len(found.start), dtype=np.bool_)
    if found.user is None:
        later[: found.users] = False
    else:
        later[np.unique(found.user, return_index=True)[1]] = False
    return later


def _mean_gap(found: Slice) -> float:
    """Return the mean seconds from an answer to the user's next request."""
    if found.user is None:
        return float("nan")
    order = np.lexsort((found.start, found.user))
    user, start, end = found.user[order], found.start[order], found.end[order]
    same = user[1:] == user[:-1]
    return float((start[1:] - end[:-1])[same].mean()) if same.any() else float("nan")
