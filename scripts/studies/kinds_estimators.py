"""How much do several estimators of throughput scatter on identical code?

The estimators are computed from the stored samples of runs, in the same steps as
Assay's throughput: one number for each closed slice, the log ratio of both sides for
each block, and the median over the undisturbed blocks for each launch.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assay.run_directory.run import RunDirectory
from scripts.studies.kinds_page import spread_cell
from scripts.studies.kinds_topics import SIDES
from scripts.studies.pages import markdown_table

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Slice:
    """The requests of one closed slice that succeeded, in order of their start.

    Attributes:
        began: When the slice began; seconds on the clock of `start` and `end`.
        users: Users of its closed loop.
        start: When each request started.
        end: When each request ended.
        user: The user of each request; None if the samples do not record it.
    """

    began: float
    users: int
    start: Floats
    end: Floats
    user: NDArray[np.int64] | None


def until_last_end(data: Slice) -> float:
    """Return the number of requests / the time until the last one ended."""
    return len(data.end) / (float(data.end.max()) - data.began)


def by_response(data: Slice) -> float:
    """Return users / mean response time: Little's law, without think time."""
    return data.users / float((data.end - data.start).mean())


def by_later_responses(data: Slice) -> float:
    """Return `by_response` without the first request of each user.

    If the samples do not record users, it leaves out as many first requests as there
    are users, because all users begin at the same time. NaN if no request is left.
    """
    later = _later(data)
    if not later.any():
        return float("nan")
    return data.users / float((data.end - data.start)[later].mean())


def by_cycle(data: Slice) -> float:
    """Return users / (mean response + mean gap until the user's next request).

    NaN if the samples do not record users.
    """
    mean_response = float((data.end - data.start).mean())
    return data.users / (mean_response + _mean_gap(data))


def by_later_cycle(data: Slice) -> float:
    """Return `by_cycle` without the first request of each user."""
    later = _later(data)
    if not later.any():
        return float("nan")
    mean_response = float((data.end - data.start)[later].mean())
    return data.users / (mean_response + _mean_gap(data))


ESTIMATORS: Mapping[str, Callable[[Slice], float]] = {
    "count / time until the last end": until_last_end,
    "users / mean response": by_response,
    "users / mean response, without first requests": by_later_responses,
    "users / (mean response + mean gap)": by_cycle,
    "users / (mean response + mean gap), without first requests": by_later_cycle,
}


def table(runs: Mapping[str, Sequence[Path]]) -> str:
    """Return the table of the spread of each estimator for each kind.

    Args:
        runs: For each kind, its run directories.
    """
    rows = []
    for kind, paths in runs.items():
        ratios: dict[str, list[float]] = {name: [] for name in ESTIMATORS}
        for path in paths:
            for name, ratios_of_run in log_ratios(path, kind).items():
                ratios[name] += ratios_of_run
        count = max((len(values) for values in ratios.values()), default=0)
        if count:
            spreads = (spread_cell(values) for values in ratios.values())
            rows.append([kind, str(count), *spreads])
    return markdown_table(["kind", "launches", *ESTIMATORS], rows)


def log_ratios(path: Path, topic: str) -> dict[str, list[float]]:
    """Return each estimator's log ratios of the launches of a run."""
    ratios: dict[str, list[float]] = {name: [] for name in ESTIMATORS}
    launches: dict[int, dict[int, dict[str, Slice]]] = {}
    for launch, block, side, data in slices(RunDirectory.open(path), topic):
        launches.setdefault(launch, {}).setdefault(block, {})[side] = data
    base, other = SIDES
    for blocks in launches.values():
        pairs = [sides for sides in blocks.values() if set(sides) == set(SIDES)]
        for name, estimate in ESTIMATORS.items():
            x = [np.log(estimate(pair[other]) / estimate(pair[base])) for pair in pairs]
            if finite := [value for value in x if np.isfinite(value)]:
                ratios[name].append(float(np.median(finite)))
    return ratios


def slices(run: RunDirectory, topic: str) -> Iterator[tuple[int, int, str, Slice]]:
    """Yield each undisturbed closed slice, after its launch, block and side.

    Launches that were too disturbed to count are left out.
    """
    rows, samples, counted = run.slices(), run.samples(topic), run.launches()
    if rows.empty or samples.empty or counted.empty:
        return
    samples = samples[samples["launch"].isin(counted["launch"])]
    keys = ["launch", "block", "variant"]
    undisturbed = rows[(rows["mode"] == "closed") & ~rows["disturbed"]].set_index(keys)
    closed = samples[
        (samples["mode"] == "closed")
        & ~samples["disturbed"]
        & ~samples["failed"]
        & samples["end"].notna()
    ].sort_values("start", kind="stable")
    for group_key, requests in closed.groupby(keys, observed=True):
        key: Any = group_key
        launch, block, side = key
        if side in SIDES and key in undisturbed.index:
            row: Any = undisturbed.loc[key]
            yield int(launch), int(block), str(side), Slice(
                began=float(row["started"]),
                users=int(row["users"]),
                start=requests["start"].to_numpy(dtype=float),
                end=requests["end"].to_numpy(dtype=float),
                user=(
                    requests["user"].to_numpy(dtype=np.int64)
                    if "user" in requests.columns
                    else None
                ),
            )


def _later(data: Slice) -> NDArray[np.bool_]:
    """Say for each request whether its user has an earlier one in the slice."""
    later = np.ones(len(data.start), dtype=np.bool_)
    if data.user is None:
        later[: data.users] = False
    else:
        later[np.unique(data.user, return_index=True)[1]] = False
    return later


def _mean_gap(data: Slice) -> float:
    """Return the mean seconds from an answer to the user's next request, or NaN."""
    if data.user is None:
        return float("nan")
    order = np.lexsort((data.start, data.user))
    user, start, end = data.user[order], data.start[order], data.end[order]
    same = user[1:] == user[:-1]
    return float((start[1:] - end[:-1])[same].mean()) if same.any() else float("nan")
