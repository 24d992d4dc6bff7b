"""junit.xml: what fails, what could not be measured, and the schema."""

from datetime import date
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree as XML

import pytest

from assay import report
from assay.gating import Gating, Threshold, Waiver
from assay.results import LeftOut, Results
from assay.run_directory.run import RunDirectory
from tests.unit.report.synthetic import HOSTILE, build
from tests.unit.report.synthetic_suite import TODAY, build_suite, name_of

# The schema of Jenkins' xUnit plugin (junit-10.xsd): the children of each element in
# their order, and its attributes, the required ones first.
CHILDREN = {
    "testsuites": ("testsuite",),
    "testsuite": ("properties", "testcase", "system-out", "system-err"),
    "testcase": ("skipped", "error", "failure", "system-out", "system-err"),
}
ATTRIBUTES = {
    "testsuites": ({}, {"name", "time", "tests", "failures", "disabled", "errors"}),
    "testsuite": (
        {"name"},
        {"tests", "failures", "errors", "skipped", "time", "timestamp", "hostname"},
    ),
    "testcase": ({"name"}, {"classname", "assertions", "time", "status"}),
    "failure": ({}, {"type", "message"}),
    "error": ({}, {"type", "message"}),
    "skipped": ({}, {"message"}),
    "system-out": ({}, set()),
}
ENDS = {"failure": "failures", "error": "errors", "skipped": "skipped"}


def document(run: RunDirectory) -> XML.Element:
    """Return a run's JUnit document, which is valid."""
    root = XML.fromstring(report.FORMATS["junit"][1](run))
    assert root.tag == "testsuites"
    for element in root.iter():
        required, optional = ATTRIBUTES[element.tag]
        assert set(required) <= set(element.attrib) <= {*required, *optional}
        order = CHILDREN.get(element.tag, ())
        positions = [order.index(child.tag) for child in element]
        assert positions == sorted(positions)
        if element.tag == "testcase":
            assert len(element) == 1
    for suite in root:
        assert suite.get("tests") == str(len(suite.findall("testcase")))
        for tag, count in ENDS.items():
            assert suite.get(count) == str(len(suite.findall(f"testcase/{tag}")))
    for count in ("tests", "failures", "errors"):
        total = sum(int(suite.get(count, "0")) for suite in root)
        assert root.get(count) == str(total)
    return root


def outcomes(run: RunDirectory) -> dict[str, str]:
    return {
        case.get("name", "").split(": ", 1)[-1]: case[0].tag
        for case in document(run).iter("testcase")
    }


@pytest.mark.parametrize("undecided", ["fail", "pass"])
def test_each_verdict_has_its_outcome(
    tmp_path: Path, undecided: Literal["fail", "pass"]
) -> None:
    left = [
        LeftOut(topic="benchmarks", test=f"t::{kind}", kind=kind, reason="so")
        for kind in ("new", "removed", "failed")
    ]
    gating = Gating(undecided=undecided, day=TODAY)
    run = build_suite(
        tmp_path / "run",
        {"slower": 1, "faster": 1, "same": 1, "undecided": 1},
        gating,
        left,
    )
    assert outcomes(run) == {
        "as a whole": "failure",
        name_of("slower", 0): "failure",
        name_of("faster", 0): "system-out",
        name_of("same", 0): "system-out",
        name_of("undecided", 0): "error" if undecided == "fail" else "system-out",
        "t::new": "skipped",
        "t::removed": "skipped",
        "t::failed": "error",
    }


def test_what_is_waived_passes_and_says_why(tmp_path: Path) -> None:
    waiver = Waiver(
        test=name_of("slower", 0),
        metric="time",
        ceiling=1.3,
        reason="the check is worth it",
        until=date(2027, 1, 31),
    )
    run = build_suite(
        tmp_path / "run", {"slower": 1, "same": 1}, Gating(waivers=(waiver,))
    )
    assert set(outcomes(run).values()) == {"system-out"}
    cases = {case.get("name"): case for case in document(run).iter("testcase")}
    said = cases[f"head against base: {name_of('slower', 0)}"][0].text or ""
    assert "waived until 2027-01-31" in said and "the check is worth it" in said


def test_what_exceeds_a_threshold_fails_and_says_so(tmp_path: Path) -> None:
    gating = Gating(thresholds=(Threshold(at_most=0.1),))
    root = document(build_suite(tmp_path / "run", {"slower": 1}, gating))
    messages = [failure.get("message", "") for failure in root.iter("failure")]
    assert len(messages) == 2
    assert "slower by 20 %" in messages[1] and "only 10 %" in messages[1]


def test_a_run_that_did_not_finish_is_an_error(tmp_path: Path) -> None:
    found = outcomes(build_suite(tmp_path / "run", {"same": 1}, partial=True))
    assert found["the run was finished"] == "error"
    assert found[name_of("same", 0)] == "system-out"


def test_nothing_measured_is_an_error_even_if_undecided_passes(tmp_path: Path) -> None:
    gating = Gating(undecided="pass")
    run = build_suite(tmp_path / "suite", {}, gating)
    assert outcomes(run) == {"as a whole": "error"}
    empty = build_suite(tmp_path / "service", {}, gating)
    empty.write_results(Results(run="run", partial=False, seed=1))
    assert outcomes(empty) == {"benchmarks was measured": "error"}


@pytest.mark.parametrize("hostile", [False, True])
def test_claims_and_budgets_are_valid_too(tmp_path: Path, hostile: bool) -> None:
    document(build(tmp_path / "run", sampled=False, hostile=hostile))


def test_hostile_names_of_tests_are_valid(tmp_path: Path) -> None:
    run = build_suite(tmp_path / "run", {"slower": 1, "undecided": 1}, suffix=HOSTILE)
    assert "<script>" in str(document(run)[0][1].get("name"))
