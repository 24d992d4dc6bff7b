"""junit.xml of a load test: test cases for requirements and for some failures."""

from collections.abc import Sequence
from xml.etree import ElementTree as XML

from assay.analysis import load_failures
from assay.report.load import words
from assay.run_directory.load_run import LoadRun
from assay.wording import clean, judgement, one_line

Case = tuple[str, str, str]  # name, verdict and reason
_OUTCOMES = {"refuted": "failure", "undecided": "error"}


def render(run: LoadRun) -> str:
    """Return the JUnit document.

    Each requirement is a test case. If there are none, or if the results are partial,
    another test case says whether the test was completed. Some failures count even if
    all requirements hold. Each of them is a test case, too.
    """
    plan, results = run.plan(), run.results()
    cases: list[Case] = [
        (one_line(item.text), item.verdict, judgement(item))
        for item in results.requirements
    ]
    if not cases or results.partial:
        verdict = "undecided" if results.partial else "holds"
        cases.append(("the test was completed", verdict, words.answer(plan, results)))
    if nothing := load_failures.nothing_succeeded(results):
        cases.append(("requests succeed", "refuted", nothing))
    for sentence in words.locustfile_verdict(results.locust_exit_code):
        cases.append(("the locustfile's own verdict", "refuted", sentence))
    return document(cases, results.warnings)


def document(cases: Sequence[Case], warnings: Sequence[str]) -> str:
    """Return a JUnit document with one test suite of these cases."""
    verdicts = [verdict for _, verdict, _ in cases]
    counts = {
        "tests": len(cases),
        "failures": verdicts.count("refuted"),
        "errors": verdicts.count("undecided"),
    }
    root = XML.Element("testsuites", {"name": "assay", **_texts(counts)})
    suite = XML.SubElement(root, "testsuite", {"name": "load", **_texts(counts)})
    for name, verdict, reason in cases:
        case = XML.SubElement(suite, "testcase", classname="assay.load", name=name)
        if outcome := _OUTCOMES.get(verdict):
            XML.SubElement(case, outcome, type=verdict, message=clean(reason))
        else:
            XML.SubElement(case, "system-out").text = clean(reason)
    if warnings:
        XML.SubElement(suite, "system-out").text = "\n".join(map(clean, warnings))
    XML.indent(root)
    return XML.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _texts(counts: dict[str, int]) -> dict[str, str]:
    return {name: str(count) for name, count in counts.items()}
