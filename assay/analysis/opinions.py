"""A second opinion: *slower* must be confirmed by an independent measurement."""

from collections.abc import Iterable, Sequence

from assay import wording
from assay.analysis import pair_verdicts, suites
from assay.metrics import METRICS
from assay.results import Comparison, PairVerdict, Results, Verdict

SLOWER: Verdict = "slower"
AT_FIRST = "slower at first, "  # a reason for doubt begins with this


def confirm(results: Results, second: Results, margin: float) -> Results:
    """Return the results, in which *slower* stays only if a second measurement agrees.

    If it does not agree, its verdict replaces *slower*: the first measurement was a
    false alarm, or the difference is not certain.

    Args:
        results: The results of the first measurement.
        second: The results of the second measurement of everything that was slower.
        margin: The largest change that is too small to matter, as a fraction.
    """
    compared = list(_compared(results.comparisons, second.comparisons))
    pairs = [_pair(pair, compared, second, margin) for pair in results.pairs]
    # A service can be slower by one request only. Then no metric of its load is.
    by_request = {
        _sides(pair)
        for pair in pairs
        if pair.verdict == SLOWER
        and not _load_is_slower(pair, compared, second, margin)
    }
    again = {_key(item): item for item in second.comparisons}
    compared = [
        (
            _repeated(item, again.get(_key(item)))
            if _sides(item) in by_request and not item.test and item.verdict == SLOWER
            else item
        )
        for item in compared
    ]
    return results.model_copy(
        update={
            "comparisons": tuple(compared),
            "pairs": tuple(pairs),
            "partial": results.partial or second.partial,
        }
    )


def _compared(
    first: Iterable[Comparison], second: Iterable[Comparison]
) -> Iterable[Comparison]:
    again = {_key(item): item for item in second if item.test}
    for item in first:
        if item.test and item.verdict == SLOWER:
            item = _repeated(item, again.get(_key(item)))
        yield item


def _repeated(item: Comparison, repeated: Comparison | None) -> Comparison:
    """Return a slower comparison with the verdict of both measurements."""
    if repeated is None or repeated.verdict != SLOWER:
        verdict = repeated.verdict if repeated else "undecided"
        reason = f"{AT_FIRST}but {_in_doubt(repeated)}"
        return item.model_copy(update={"verdict": verdict, "reason": reason})
    reason = f"measured again: {wording.in_words(repeated)}"
    return item.model_copy(update={"reason": reason})


def _in_doubt(repeated: Comparison | None) -> str:
    """Return what a second measurement says if it does not confirm the first."""
    if repeated is None:
        return "not measured again"
    numbers = wording.in_words(repeated)
    if repeated.verdict == "undecided":
        return f"not certain when measured again: {numbers}; {repeated.reason}"
    return f"not when measured again: {numbers}"


def _pair(
    pair: PairVerdict, compared: Iterable[Comparison], second: Results, margin: float
) -> PairVerdict:
    """Return the verdict on a pair after the second measurement.

    Args:
        pair: The verdict of the first measurement.
        compared: The comparisons; tests and requests are *slower* only if they were
            so twice.
        second: The results of the second measurement.
        margin: The largest change that is too small to matter, as a fraction.
    """
    if pair.verdict != SLOWER:
        return pair
    of_pair = [item for item in compared if _sides(item) == _sides(pair)]
    by_itself = [item for item in of_pair if item.test]
    if by_itself and not any(METRICS[item.metric].of_request for item in by_itself):
        sides = pair.baseline, pair.candidate
        return suites.judge(pair.topic, sides, by_itself, margin)
    again = next((item for item in second.pairs if _sides(item) == _sides(pair)), None)
    verdict = _of_service(pair, of_pair, second, margin)
    doubts = [item for item in by_itself if item.reason.startswith(AT_FIRST)]
    words = [again.reason if again else "not measured"]
    words += [f"{item.test} was {item.reason}" for item in doubts]
    if verdict == SLOWER:
        first = pair_verdicts.judge(of_pair, margin).reason
        reason = f"{first}; measured again: {'; '.join(words)}"
    else:
        reason = f"at first {pair.reason}; but measured again: {'; '.join(words)}"
    return pair.model_copy(update={"verdict": verdict, "reason": reason})


def _of_service(
    pair: PairVerdict, of_pair: Sequence[Comparison], second: Results, margin: float
) -> Verdict:
    """Return the verdict on a service: *slower* needs the same evidence twice.

    The whole load must be slower twice, or one request must be. Otherwise the whole
    load decides; a request that was slower once and is undecided leaves a doubt.
    """
    first, again = _loads(pair, of_pair, second, margin)
    if first is None or again is None:
        return "undecided"
    if any(item.test and item.verdict == SLOWER for item in of_pair):
        return SLOWER
    decides = again if first == SLOWER else first
    in_doubt = any(
        item.verdict == "undecided" and item.reason.startswith(AT_FIRST)
        for item in of_pair
    )
    return "undecided" if in_doubt and decides != SLOWER else decides


def _load_is_slower(
    pair: PairVerdict, compared: Iterable[Comparison], second: Results, margin: float
) -> bool:
    """Say whether the whole load, or a suite of tests, was slower twice."""
    of_pair = [item for item in compared if _sides(item) == _sides(pair)]
    if not any(METRICS[item.metric].of_request for item in of_pair):
        return True
    return _loads(pair, of_pair, second, margin) == (SLOWER, SLOWER)


def _loads(
    pair: PairVerdict, of_pair: Iterable[Comparison], second: Results, margin: float
) -> tuple[Verdict | None, Verdict | None]:
    """Return both verdicts on the load as a whole; None if there is none."""
    again = [item for item in second.comparisons if _sides(item) == _sides(pair)]
    first, repeated = (
        (
            pair_verdicts.judge(whole, margin).verdict
            if (whole := [item for item in items if not item.test])
            else None
        )
        for items in (of_pair, again)
    )
    return first, repeated


def _sides(item: Comparison | PairVerdict) -> tuple[str, str, str]:
    return item.topic, item.baseline, item.candidate


def _key(item: Comparison) -> tuple[str, ...]:
    return item.topic, item.test, item.baseline, item.candidate, item.metric
