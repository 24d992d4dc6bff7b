"""The rows of a run's tables, as launches keep them."""

from collections.abc import Mapping, Sequence
from typing import Any

from assay.load.answers import Slice

Taken = Sequence[tuple[Mapping[str, Any], Slice]]


def shown(name: Sequence[str]) -> str:
    """Return the name of a request as people read it: ``GET /item``."""
    return " ".join(filter(None, name[1:]))


def values(
    topic: str, number: int, values: Mapping[tuple[str, str], tuple[float, bool]]
) -> list[dict[str, object]]:
    """Return what a launch came to as the rows of `RunDirectory.launches`."""
    return [
        {
            "topic": topic,
            "launch": number,
            "variant": variant,
            "metric": metric,
            "value": value,
            "censored": censored,
        }
        for (variant, metric), (value, censored) in values.items()
    ]


def samples(number: int, taken: Taken, origin: float) -> Any:
    """Return the requests of a launch as the table of `RunDirectory.samples`.

    None where there is no slice.
    """
    import numpy as np
    import pandas as pd

    if not taken:
        return None
    rows, slices = zip(*taken, strict=True)
    counts = [len(one.columns["end"]) for one in slices]

    def each(values: Sequence[object], kind: type | None = None) -> Any:
        """Repeat what is known of every slice for each of its requests."""
        return np.repeat(np.asarray(values, dtype=kind), counts)

    def of_all(column: str) -> Any:
        """Chain a column of all slices."""
        return np.concatenate([one.columns[column] for one in slices])

    # One table, not one of each slice: there are a hundred and more in a launch.
    named = [
        np.asarray([shown(name) for name in one.names], object)[
            one.columns["name"]
        ]
        for one in slices
    ]
    return pd.DataFrame(
        {
            "launch": np.int16(number),
            "block": each([row["block"] for row in rows], np.int16),
            "variant": pd.Categorical(each([row["variant"] for row in rows])),
            "mode": pd.Categorical(each([row["mode"] for row in rows])),
            "scheduled": of_all("scheduled") - origin,
            "waited": of_all("waited"),
            "start": of_all("start") - origin,
            "end": of_all("end") - origin,
            "name": pd.Categorical(np.concatenate(named)),
            "user": of_all("user").astype(np.uint16),
            "failed": of_all("failed") > 0,
            "disturbed": each([row["disturbed"] for row in rows], np.bool_),
        }
    )
