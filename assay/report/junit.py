"""junit.xml: one test case for each claim and budget, for CI systems.

A claim that holds passes, a refuted one is a failure, and an undecided one is an
error: some CI systems show a skipped test as passed, but none shows an error so.
A topic without claims has one test case for each pair as a whole and one for each
comparison with a verdict. There, *slower* is a failure.
"""

from xml.etree import ElementTree as XML

from assay.report.summary import (
    budget_reason,
    budget_text,
    comparison_of,
    pair_text,
    without_own_claim,
)
from assay.results import Results
from assay.run_directory.run import RunDirectory
from assay.wording import clean, compared, one_line

_OUTCOMES = {"refuted": "failure", "slower": "failure", "undecided": "error"}


def render(run: RunDirectory) -> str:
    """Return the JUnit document."""
    results, confidence = run.results(), run.plan().settings.confidence
    root = XML.Element("testsuites", name="assay")
    topics = dict.fromkeys(
        [item.topic for item in results.claims]
        + [item.topic for item in results.budgets]
        + [item.topic for item in results.pairs]
        + [item.topic for item in results.comparisons]
    )
    totals = {"tests": 0, "failures": 0, "errors": 0}
    for topic in topics:
        suite = XML.SubElement(root, "testsuite", name=one_line(topic))
        counts = {"tests": 0, "failures": 0, "errors": 0}
        for name, verdict, reason in _cases(results, topic, confidence):
            case = XML.SubElement(
                suite, "testcase", classname=f"assay.{one_line(topic)}", name=name
            )
            counts["tests"] += 1
            outcome = _OUTCOMES.get(verdict)
            if outcome:
                counts[f"{outcome}s"] += 1
                XML.SubElement(case, outcome, type=verdict, message=reason)
            else:
                XML.SubElement(case, "system-out").text = reason
        for key, count in counts.items():
            suite.set(key, str(count))
            totals[key] += count
        if results.warnings:
            XML.SubElement(suite, "system-out").text = "\n".join(
                clean(warning) for warning in results.warnings
            )
    for key, count in totals.items():
        root.set(key, str(count))
    XML.indent(root)
    return XML.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _cases(
    results: Results, topic: str, confidence: float
) -> list[tuple[str, str, str]]:
    """Return name, verdict and reason of each test case of a topic.

    Args:
        results: The results of the run.
        topic: Name of the topic.
        confidence: The confidence of the run's verdicts, as a share.
    """
    cases: list[tuple[str, str, str]] = []
    for claim in results.claims:
        if claim.topic == topic:
            comparison = comparison_of(results, claim)
            measured = compared(comparison) if comparison else "not measured"
            cases.append(
                (
                    f"{one_line(claim.says)} [{one_line(claim.baseline)} -> "
                    f"{one_line(claim.candidate)}: {one_line(claim.metric)}]",
                    claim.verdict,
                    f"expected {one_line(claim.expect)}, measured {measured}; "
                    f"{one_line(claim.reason)}",
                )
            )
    for budget in results.budgets:
        if budget.topic == topic:
            reason = budget_reason(results, budget, confidence)
            cases.append((budget_text(budget), budget.verdict, reason))
    if any(claim.topic == topic for claim in results.claims):
        return cases
    cases += [
        (
            f"{pair_text(pair_verdict)}: as a whole",
            pair_verdict.verdict,
            one_line(pair_verdict.reason),
        )
        for pair_verdict in results.pairs
        if pair_verdict.topic == topic
    ]
    for decided in without_own_claim(results):
        if decided.topic == topic:
            name = f"{pair_text(decided)}: {one_line(decided.metric)}"
            measured = f"candidate / baseline {compared(decided)}"
            if decided.reason:
                measured += f"; {one_line(decided.reason)}"
            cases.append((name, str(decided.verdict), measured))
    return cases
