"""A second opinion: *slower* must be confirmed by an independent measurement."""

from collections.abc import Iterable

from assay import wording
from assay.analysis import suites
from assay.results import Comparison, PairVerdict, Results

SLOWER = "slower"


def confirm(results: Results, second: Results, margin: float) -> Results:
    """Return the results, in which *slower* stays only if a second measurement agrees.

    If it does not agree, its verdict replaces *slower*: the first measurement was a
    false alarm, or the difference is not certain.

    Args:
        results: The results of the first measurement.
        second: The results of the second measurement of everything that was slower.
        margin: The largest change that is too small to matter, as a fraction.
    """
    compared = tuple(_compared(results.comparisons, second.comparisons))
    pairs = tuple(_pair(pair, compared, second.pairs, margin) for pair in results.pairs)
    return results.model_copy(
        update={
            "comparisons": compared,
            "pairs": pairs,
            "partial": results.partial or second.partial,
        }
    )


def _compared(
    first: Iterable[Comparison], second: Iterable[Comparison]
) -> Iterable[Comparison]:
    again = {_key(item): item for item in second if item.test}
    for item in first:
        if item.test and item.verdict == SLOWER:
            repeated = again.get(_key(item))
            if repeated is None or repeated.verdict != SLOWER:
                verdict = repeated.verdict if repeated else "undecided"
                reason = f"slower at first, but {_in_doubt(repeated)}"
                item = item.model_copy(update={"verdict": verdict, "reason": reason})
            else:
                item = item.model_copy(
                    update={"reason": f"measured again: {wording.in_words(repeated)}"}
                )
        yield item


def _in_doubt(repeated: Comparison | None) -> str:
    """Return what a second measurement says if it does not confirm the first."""
    if repeated is None:
        return "not measured again"
    numbers = wording.in_words(repeated)
    if repeated.verdict == "undecided":
        return f"not certain when measured again: {numbers}; {repeated.reason}"
    return f"not when measured again: {numbers}"


def _pair(
    pair: PairVerdict,
    compared: Iterable[Comparison],
    second: Iterable[PairVerdict],
    margin: float,
) -> PairVerdict:
    if pair.verdict != SLOWER:
        return pair
    sides = pair.topic, pair.baseline, pair.candidate
    tests = [
        item
        for item in compared
        if item.test and (item.topic, item.baseline, item.candidate) == sides
    ]
    if tests:
        return suites.judge(pair.topic, (pair.baseline, pair.candidate), tests, margin)
    again = next(
        (
            item
            for item in second
            if (item.topic, item.baseline, item.candidate) == sides
        ),
        None,
    )
    if again is not None and again.verdict == SLOWER:
        reason = f"{pair.reason}; measured again: {again.reason}"
        return pair.model_copy(update={"reason": reason})
    words = again.reason if again else "not measured"
    reason = f"at first {pair.reason}; but measured again: {words}"
    verdict = again.verdict if again else "undecided"
    return pair.model_copy(update={"verdict": verdict, "reason": reason})


def _key(item: Comparison) -> tuple[str, str, str, str]:
    return item.topic, item.test, item.baseline, item.candidate
