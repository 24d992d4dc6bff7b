"""junit.xml: test cases for claims, budgets and comparisons, for CI systems.

A claim or budget that holds passes, and a refuted one is a failure. An undecided one is
an error, because some CI systems show a skipped test as passed, but none shows an error
as passed. The user can choose that *undecided* passes.

A topic without claims has one test case for each pair as a whole, and one for each
comparison with a verdict. A slower pair is a failure, unless a threshold or a waiver
lets it pass. A slower comparison is a failure, too; but if its pair as a whole is not
slower, the comparison counts as undecided. A new, removed or skipped benchmark is a
skipped test case, and so is a request of a service that is undecided by itself.

A benchmark that failed, a pair or topic without measurements, and a run that did not
finish are errors.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree as XML

from assay.gating import Gate, Gating
from assay.metrics import METRICS
from assay.report.summary import (
    budget_reason,
    budget_text,
    comparison_of,
    gate_key,
    gate_text,
    gates_by_key,
    label_of,
    pair_text,
    pair_verdict_of,
    without_own_claim,
)
from assay.results import Comparison, PairVerdict, Results
from assay.run_directory.run import RunDirectory
from assay.wording import clean, compared, one_line

Outcome = Literal["passed", "failure", "error", "skipped"]
_OUTCOMES: dict[str, Outcome] = {"refuted": "failure", "slower": "failure"}
_GATES: dict[str, Outcome] = {"fails": "failure", "passes": "passed"}
_COUNTS = {"failure": "failures", "error": "errors", "skipped": "skipped"}


@dataclass(frozen=True)
class Case:
    """One test case.

    Attributes:
        word: The verdict, or another outcome, in a word.
    """

    name: str
    outcome: Outcome
    word: str
    reason: str


def render(run: RunDirectory) -> str:
    """Return the JUnit document."""
    plan, results = run.plan(), run.results()
    root = XML.Element("testsuites", name="assay")
    topics = dict.fromkeys(
        [item.topic for item in results.claims]
        + [item.topic for item in results.budgets]
        + [item.topic for item in results.pairs]
        + [item.topic for item in results.comparisons]
        + [item.topic for item in results.left_out]
    )
    confidence = plan.settings.confidence
    cases = {
        topic: list(_cases(results, topic, confidence, plan.gating)) for topic in topics
    }
    cases |= {
        topic.name: [_not_measured(topic.name)]
        for topic in plan.topics
        if not cases.get(topic.name)
    }
    if results.partial:
        cases = {"run": [_unfinished()], **cases}
    totals = {"tests": 0, "failures": 0, "errors": 0}
    for topic, of_topic in cases.items():
        counts = _add_suite(root, topic, of_topic, results.warnings)
        for key in totals:
            totals[key] += counts[key]
    for key, count in totals.items():
        root.set(key, str(count))
    XML.indent(root)
    return XML.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _add_suite(
    root: XML.Element, topic: str, cases: list[Case], warnings: tuple[str, ...]
) -> dict[str, int]:
    """Add the test suite of a topic, and return its number of cases by outcome."""
    suite = XML.SubElement(root, "testsuite", name=one_line(topic))
    counts = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
    for case in cases:
        element = XML.SubElement(
            suite, "testcase", classname=f"assay.{one_line(topic)}", name=case.name
        )
        counts["tests"] += 1
        if case.outcome == "passed":
            XML.SubElement(element, "system-out").text = case.reason
            continue
        counts[_COUNTS[case.outcome]] += 1
        # A skipped test has no type in the schema.
        kind = {} if case.outcome == "skipped" else {"type": case.word}
        XML.SubElement(element, case.outcome, {**kind, "message": case.reason})
    for key, count in counts.items():
        suite.set(key, str(count))
    if warnings:
        XML.SubElement(suite, "system-out").text = "\n".join(
            clean(warning) for warning in warnings
        )
    return counts


def _not_measured(name: str) -> Case:
    return Case(f"{one_line(name)} was measured", "error", "not measured", "it was not")


def _unfinished() -> Case:
    reason = "the results cover what was measured until the run ended"
    return Case("the run was finished", "error", "partial", reason)


def _cases(
    results: Results, topic: str, confidence: float, gating: Gating
) -> Iterator[Case]:
    """Yield the test cases of a topic.

    Args:
        results: The results of the run.
        topic: Name of the topic.
        confidence: The confidence of the run's verdicts, as a fraction.
        gating: Says whether *undecided* fails.
    """
    for claim in results.claims:
        if claim.topic == topic:
            comparison = comparison_of(results, claim)
            measured = compared(comparison) if comparison else "not measured"
            name = (
                f"{one_line(claim.says)} [{one_line(claim.baseline)} -> "
                f"{one_line(claim.candidate)}: {one_line(claim.metric)}]"
            )
            reason = (
                f"expected {one_line(claim.expect)}, measured {measured}; "
                f"{one_line(claim.reason)}"
            )
            yield Case(name, _outcome(claim.verdict, gating), claim.verdict, reason)
    for budget in results.budgets:
        if budget.topic == topic:
            reason = budget_reason(results, budget, confidence)
            outcome = _outcome(budget.verdict, gating)
            yield Case(budget_text(budget), outcome, budget.verdict, reason)
    if any(claim.topic == topic for claim in results.claims):
        return
    for pair in results.pairs:
        if pair.topic == topic:
            yield _of_pair(results, pair, gating)
    gates = gates_by_key(results)
    for decided in without_own_claim(results):
        if decided.topic == topic:
            gate = gates.get(gate_key(decided))
            yield _of_comparison(results, decided, gate, gating)
    for item in results.left_out:
        if item.topic == topic:
            failed: Outcome = "error" if item.kind == "failed" else "skipped"
            yield Case(one_line(item.test), failed, item.kind, one_line(item.reason))


def _of_pair(results: Results, pair: PairVerdict, gating: Gating) -> Case:
    outcome = _GATES.get(pair.outcome) or _outcome("undecided", gating)
    if not results.measured(pair.topic, (pair.baseline, pair.candidate)):
        outcome = "error"
    name = f"{pair_text(pair)}: as a whole"
    return Case(name, outcome, pair.verdict, one_line(pair.reason))


def _of_comparison(
    results: Results, item: Comparison, gate: Gate | None, gating: Gating
) -> Case:
    reason = f"candidate / baseline {compared(item)}"
    for text in (gate_text(gate), one_line(item.reason)):
        reason += f"; {text}" if text else ""
    outcome = _outcome(str(item.verdict), gating)
    if item.verdict == "undecided" and METRICS[item.metric].of_request:
        outcome = "skipped"  # the load as a whole is judged without this request
    pair = pair_verdict_of(results, item)
    if gate and gate.verdict != "fails":
        outcome = "passed"
    elif outcome == "failure" and pair and pair.verdict != "slower":
        outcome = _outcome("undecided", gating)  # one metric is not the whole pair
    name = f"{pair_text(item)}: {label_of(item)}"
    return Case(name, outcome, str(item.verdict), reason)


def _outcome(verdict: str, gating: Gating) -> Outcome:
    if verdict == "undecided":
        return "error" if gating.undecided == "fail" else "passed"
    return _OUTCOMES.get(verdict, "passed")
