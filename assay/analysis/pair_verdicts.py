"""What the comparisons of a pair without claims say together, in words."""

from collections.abc import Mapping, Sequence

from assay import wording
from assay.metrics import METRICS
from assay.results import Comparison, PairVerdict, Verdict


def judge(compared: Sequence[Comparison], margin: float) -> PairVerdict:
    """Judge a pair without claims by all its comparisons together.

    Args:
        compared: All of the pair; one at least.
        margin: The change that is too small to matter, as a share.
    """
    by_word: dict[str, list[Comparison]] = {}
    for item in compared:
        if item.verdict is not None:
            by_word.setdefault(item.verdict, []).append(item)
    differing = [item for item in compared if item.differs]
    serving = [item for item in differing if METRICS[item.metric].serving]
    words = set(by_word)
    verdict: Verdict = "undecided"
    if words == {"same"} and not serving:
        verdict = "same"
    elif "slower" in words and "faster" not in words:
        verdict = "slower"
    elif "faster" in words and "slower" not in words:
        verdict = "faster"
    reason = _reason(by_word, margin)
    if differing:
        others = _listed([_with_ratio(item) for item in differing])
        differ = "differs" if len(differing) == 1 else "differ"
        same = words == {"same"}
        reason += f", but {others} {differ}" if same else f"; {others} {differ}, too"
    first = compared[0]
    return PairVerdict(
        topic=first.topic,
        baseline=first.baseline,
        candidate=first.candidate,
        verdict=verdict,
        reason=reason,
        differing=tuple(item.metric for item in differing),
    )


def _reason(by_word: Mapping[str, Sequence[Comparison]], margin: float) -> str:
    """Say what the deciding metrics say, or what stands in the way of all."""
    said = {
        word: f"{word} by {_listed([_with_ratio(item) for item in items])}"
        for word, items in by_word.items()
        if word in ("faster", "slower")
    }
    if {"faster", "slower"} <= set(said):
        return f"the metrics disagree: {said['faster']}, {said['slower']}"
    if "same" in by_word:
        names = [item.metric for item in by_word["same"]]
        said["same"] = _are(names, f"the same within {wording.percent(margin)}")
    if undecided := by_word.get("undecided", []):
        forbidden = dict.fromkeys(item.reason for item in undecided if item.reason)
        if len(forbidden) == 1 and not said:
            return next(iter(forbidden))
        names = [item.metric for item in undecided]
        said["undecided"] = f"{_are(names, 'undecided')}: {'; '.join(forbidden)}"
    return "; ".join(said.values())


def _with_ratio(item: Comparison) -> str:
    return f"{item.metric} ({wording.in_words(item)})"


def _are(names: Sequence[str], what: str) -> str:
    return f"{_listed(names)} {'is' if len(names) == 1 else 'are'} {what}"


def _listed(words: Sequence[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
