"""Judge the requests of a service one by one, by the lower quartile of their times.

In a load of many requests, a change of one of them is diluted. So if two sides are
compared without claims, each request is a comparison of its own, as each test of a
suite is. Its times are taken one after the other: see `experiment.request_times`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from assay import wording
from assay.analysis import comparisons as whole
from assay.analysis import suites
from assay.metrics import OF_REQUEST
from assay.plan import Topic
from assay.results import Comparison, Value

if TYPE_CHECKING:
    import pandas as pd

    from assay.analysis.looks import Looks
    from assay.analysis.measurements import Measurements

MIN_ANSWERS = 5  # with fewer in a launch, a request has no lower quartile
NAMED = 3  # a warning names at most this many requests


def suite_of(looks: Looks, topic: Topic, measured: Measurements) -> suites.Suite | None:
    """Return the requests of a topic in the form of a suite; None without requests.

    The requests of a topic are one family, with an error rate of its own. A launch
    counts for a request that both sides answered at least `MIN_ANSWERS` times. If all
    requests of a load are the same, there is nothing to judge: other metrics are about
    that request already.
    """
    rows = _enough(topic, measured)
    if rows is None:
        return None
    requests = tuple(dict.fromkeys(map(str, rows["request"])))
    if not topic.scenario.requests and len(_all_requests(topic, measured)) < 2:
        return None
    scenario = topic.scenario.model_copy(update={"tests": requests})
    return suites.Suite(
        replace(looks, comparisons=len(requests)),
        topic.model_copy(update={"scenario": scenario}),
        rows.rename(columns={"request": "test"}).assign(problem=""),
        metric=OF_REQUEST,
        noun="requests",
    )


def comparisons(
    looks: Looks, topic: Topic, measured: Measurements
) -> Iterable[Comparison]:
    """Yield the comparison of each request, for every pair of the topic.

    A pair has none if failures or noise forbid verdicts on its latency.
    """
    suite = suite_of(looks, topic, measured)
    if suite is None:
        return
    allowed = {
        pair
        for pair in topic.pairs()
        if not whole.examine(looks, topic, pair, measured).reason_forbidden(OF_REQUEST)
    }
    for item in suites.comparisons(suite):
        if (item.baseline, item.candidate) in allowed:
            yield item


def values(looks: Looks, topic: Topic, measured: Measurements) -> Iterable[Value]:
    """Yield each request's own number, with its uncorrected 95 % interval."""
    suite = suite_of(looks, topic, measured)
    if suite is not None:
        yield from suites.values(suite)


def stands_out(looks: Looks, topic: Topic, measured: Measurements) -> bool:
    """Say whether more launches may show that an undecided request is slower.

    So it is if its interval excludes 1, and the estimate is large enough for a verdict.
    """
    return any(
        item.verdict == "undecided"
        and item.launches < looks.last
        and (item.low or 0.0) > 1
        and (item.ratio or 0.0) >= 1 + looks.margin / 2
        for item in comparisons(looks, topic, measured)
    )


def undecided(looks: Looks, topic: Topic, measured: Measurements) -> bool:
    """Say whether more launches may decide a request."""
    return any(
        item.verdict == "undecided" and item.launches < looks.last
        for item in comparisons(looks, topic, measured)
    )


def warnings(topic: Topic, measured: Measurements) -> Iterable[str]:
    """Yield a warning that names the requests that are not judged by themselves."""
    requests = _all_requests(topic, measured)
    rows = _enough(topic, measured)
    judged = set() if rows is None else set(rows["request"])
    missing = [request for request in requests if request not in judged]
    if missing and len(requests) > 1:
        named = missing[:NAMED]
        more = [f"{len(missing) - NAMED} more"] if len(missing) > NAMED else []
        one = len(missing) == 1
        yield (
            f"{topic.name}: {wording.listed([*named, *more])} "
            f"{'was not judged by itself' if one else 'were not judged by themselves'}"
            f": in no launch did both sides answer {'it' if one else 'them'} "
            f"{MIN_ANSWERS} times. Request it more often in the locustfile; if its URL "
            "has ids, give all its requests one `name`."
        )


def _rows(topic: Topic, measured: Measurements) -> pd.DataFrame | None:
    """Return the rows of the requests that may be judged; None if there are none."""
    table = measured.requests
    if table is None or table.empty or not topic.scenario.each_request:
        return None
    rows = table[(table["topic"] == topic.name) & (table["seconds"] > 0)]
    if only := topic.scenario.requests:
        rows = rows[rows["request"].isin(only)]
    return None if rows.empty else rows


def _all_requests(topic: Topic, measured: Measurements) -> list[str]:
    rows = _rows(topic, measured)
    return [] if rows is None else list(dict.fromkeys(map(str, rows["request"])))


def _enough(topic: Topic, measured: Measurements) -> pd.DataFrame | None:
    """Return the rows of launches in which every side has enough answers."""
    rows = _rows(topic, measured)
    if rows is None:
        return None
    answers = rows.pivot_table(
        index=["request", "launch"], columns="variant", values="answers"
    )
    names = [variant.name for variant in topic.variants]
    if not set(names) <= set(answers.columns):
        return None
    enough = answers.index[(answers[names] >= MIN_ANSWERS).all(axis=1)]
    kept = rows.set_index(["request", "launch"])
    kept = kept[kept.index.isin(enough)].reset_index()
    return None if kept.empty else kept
