"""The gate: thresholds and waivers decide whether a slower comparison fails.

The gate is asked only about verdicts of *slower*, so the change is already beyond
chance. It checks only how large the slow-down is, by the estimate. With the lower end
of the interval, more comparisons would pass after few launches; with the upper end,
more would fail.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

from assay import wording
from assay.gating import Gate, Gating, Threshold, Waiver, matches
from assay.metrics import METRICS, OF_REQUEST, higher_is_better
from assay.plan import Plan, Scenario, Topic
from assay.results import Comparison, Outcome, PairVerdict, Results

NAMED = 3  # a warning names at most this many waivers
NODE = "::"  # only the node id of a test has it
_WILDCARDS = "*?"


def decide(plan: Plan, results: Results) -> Results:
    """Return the results with the gate's decision on each slower comparison.

    Args:
        plan: The plan, with its thresholds and waivers.
        results: The results; earlier decisions of the gate are replaced.
    """
    gates: list[Gate] = []
    pairs = []
    for pair in results.pairs:
        of_pair = [item for item in results.comparisons if _sides(item) == _sides(pair)]
        slower = [item for item in of_pair if item.verdict == "slower"]
        of_tests = (
            [_gate(plan.gating, item) for item in slower]
            if pair.verdict == "slower"
            else []
        )
        gates += of_tests
        pairs.append(
            pair.model_copy(update={"gate": _outcome(pair, of_pair, of_tests)})
        )
    warnings = [*results.warnings, *_warnings(plan, results)]
    return results.model_copy(
        update={
            "gates": tuple(gates),
            "pairs": tuple(pairs),
            "warnings": tuple(dict.fromkeys(warnings)),
        }
    )


def threshold_of(
    gating: Gating, topic: str, test: str, metric: str
) -> Threshold | None:
    """Return the most specific threshold for a comparison; among equals, the strictest.

    The patterns of the test are compared first, then those of the topic, then those of
    the metric. A pattern without wildcards is more specific than any with wildcards.
    Among patterns with wildcards, the one with more literal characters is more
    specific.
    """
    matching = [
        one
        for one in gating.thresholds
        if matches(one.test, test)
        and matches(one.topic, topic)
        and matches(one.metric, metric)
    ]
    return max(matching, key=_specificity, default=None)


def unmatched(plan: Plan) -> Iterator[Threshold]:
    """Yield the thresholds that match no test, once the tests are known.

    If the user chose some topics or files, a pattern may be about the others. Then its
    threshold is not yielded.
    """
    for one in plan.gating.thresholds:
        if one.test == "*":
            continue
        topics = [topic for topic in plan.topics if matches(one.topic, topic.name)]
        suites = [topic for topic in topics if topic.scenario.tests]
        is_node = NODE in one.test
        if not is_node and any(topic.scenario.locustfile for topic in topics):
            continue  # its requests are known only once they are measured
        if not suites and any(topic.name == one.topic for topic in topics):
            yield one  # the threshold names a topic that has no tests
        elif suites and not any(_has_match(topic, one.test) for topic in suites):
            if _is_asked(plan.gating, suites, one.test):
                yield one


def _gate(gating: Gating, item: Comparison) -> Gate:
    """Return the gate's decision on a slower comparison."""
    slowdown = _slowdown(item)
    shown = wording.percent(slowdown - 1) if math.isfinite(slowdown) else "unknown"
    threshold = threshold_of(gating, item.topic, item.test, item.metric)
    reason = ""
    if threshold:
        allowed = wording.percent(threshold.at_most)
        if slowdown - 1 <= threshold.at_most:
            reason = f"slower by {shown}, and [tool.assay.gates] allows {allowed}"
            return _decided(item, "passes", reason)
        reason = f"slower by {shown}, and [tool.assay.gates] allows only {allowed}"
    waiver = next((one for one in gating.waivers if _is_about(one, item)), None)
    if waiver is None:
        return _decided(item, "fails", reason)
    up_to = f"up to {wording.exact(waiver.ceiling)} times as slow"
    if _has_expired(waiver, gating):
        reason = f"the waiver expired on {waiver.until}: {waiver.reason}"
    elif slowdown <= waiver.ceiling:
        reason = f"waived until {waiver.until}, {up_to}: {waiver.reason}"
        gate = _decided(item, "waived", reason)
        return gate.model_copy(update={"until": waiver.until})
    else:
        reason = f"the waiver is for {up_to}: {waiver.reason}"
    return _decided(item, "fails", reason)


def _decided(item: Comparison, verdict: str, reason: str) -> Gate:
    return Gate.model_validate(
        {
            "topic": item.topic,
            "test": item.test,
            "baseline": item.baseline,
            "candidate": item.candidate,
            "metric": item.metric,
            "verdict": verdict,
            "reason": reason,
        }
    )


def _outcome(
    pair: PairVerdict, of_pair: Sequence[Comparison], gates: Sequence[Gate]
) -> Outcome:
    """Return the outcome of a pair, which decides the exit code."""
    if pair.verdict != "slower":
        return "undecided" if pair.verdict == "undecided" else "passes"
    if not gates or any(gate.verdict == "fails" for gate in gates):
        return "fails"
    # The gate lets the slower comparisons pass. The others must still be decided, apart
    # from the requests of a service: the load as a whole is judged without them.
    rest = {item.verdict for item in of_pair if not METRICS[item.metric].of_request}
    return "undecided" if "undecided" in rest else "passes"


def _slowdown(item: Comparison) -> float:
    """Return how many times as slow the candidate is; infinity if unknown."""
    if not item.ratio or item.censored:
        return math.inf  # only a bound is known, or nothing
    return 1 / item.ratio if higher_is_better(item.metric) else item.ratio


def _specificity(one: Threshold) -> tuple[tuple[bool, int], ...]:
    def of(pattern: str) -> tuple[bool, int]:
        literal = sum(character not in _WILDCARDS for character in pattern)
        return literal == len(pattern), literal

    return (*map(of, one.patterns), (False, -round(one.at_most * 1e9)))


def _is_about(waiver: Waiver, item: Comparison) -> bool:
    # Without a request, a waiver is about all requests of a topic.
    is_request = waiver.metric == OF_REQUEST and not waiver.test
    return (
        waiver.metric == item.metric
        and (is_request or waiver.test == item.test)
        and waiver.topic in ("", item.topic)
    )


def _has_expired(waiver: Waiver, gating: Gating) -> bool:
    return gating.day is not None and waiver.until < gating.day


def _warnings(plan: Plan, results: Results) -> Iterator[str]:
    """Yield warnings about waivers that have no effect any more."""
    gating = plan.gating
    for waiver in gating.waivers:
        if _has_expired(waiver, gating):
            yield (
                f"The waiver of {waiver.subject} ({waiver.metric}) expired on "
                f"{waiver.until} and does not count: renew it with `assay waive`, or "
                f"remove it from {waiver.where or 'the file of waivers'}."
            )
    for one in plan.gating.thresholds:
        if one.test != "*" and _matches_no_request(one, plan, results):
            yield (
                f"[tool.assay.gates]: no request matches {one.test!r}; see the report "
                "for their names."
            )
    idle = [
        waiver
        for waiver in gating.waivers
        if not _has_expired(waiver, gating) and _is_idle(waiver, plan, results)
    ]
    if idle:
        named = [f"{one.subject} ({one.metric}, {one.where})" for one in idle[:NAMED]]
        more = [f"and {len(idle) - NAMED} more"] if len(idle) > NAMED else []
        count = wording.counted(len(idle), "waiver matches", "waivers match")
        yield f"{count} nothing that was measured: {', '.join(named + more)}."


def _is_idle(waiver: Waiver, plan: Plan, results: Results) -> bool:
    """Say whether a waiver matches nothing that the run should have measured."""
    if any(_is_about(waiver, item) for item in results.comparisons):
        return False
    topics = [topic for topic in plan.topics if waiver.topic in ("", topic.name)]
    if not waiver.test:
        measured = {item.topic for item in results.comparisons}
        return any(topic.name in measured for topic in topics)
    if any(item.test == waiver.test for item in results.left_out):
        return False
    if waiver.metric == OF_REQUEST:
        named = {topic.name for topic in topics}
        judged = any(
            item.metric == OF_REQUEST and item.topic in named
            for item in results.comparisons
        )
        return judged and (plan.gating.whole or bool(waiver.topic))
    suites = [topic for topic in topics if topic.scenario.tests]
    return bool(suites) and _is_asked(plan.gating, suites, waiver.test)


def _matches_no_request(one: Threshold, plan: Plan, results: Results) -> bool:
    """Say whether a threshold matches neither a test nor a request that was judged."""
    topics = [topic for topic in plan.topics if matches(one.topic, topic.name)]
    names = {topic.name for topic in topics}
    if NODE in one.test or not (plan.gating.whole or one.topic in names):
        return False  # it is about tests, or may be about other topics
    items = [item for item in results.comparisons if item.topic in names]
    if not any(item.metric == OF_REQUEST for item in items):
        return False
    tests = [test for topic in topics for test in topic.scenario.tests]
    tests += [item.test for item in items if item.test]
    return not any(matches(one.test, test) for test in tests)


def _is_asked(gating: Gating, suites: Iterable[Topic], pattern: str) -> bool:
    """Say whether a pattern of tests is about files that this run measures."""
    return gating.whole or any(_lies_in(topic.scenario, pattern) for topic in suites)


def _lies_in(scenario: Scenario, pattern: str) -> bool:
    """Say whether a suite collects every test that a pattern can match."""
    literal = pattern
    for wildcard in _WILDCARDS:
        literal = literal.partition(wildcard)[0]
    return any(path == "." or literal.startswith(path) for path in scenario.paths)


def _has_match(topic: Topic, pattern: str) -> bool:
    scenario = topic.scenario
    tests = (*scenario.tests, *scenario.new_tests)
    return any(matches(pattern, test) for test in tests)


def _sides(item: Comparison | PairVerdict) -> tuple[str, str, str]:
    return item.topic, item.baseline, item.candidate
