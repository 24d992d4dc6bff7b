"""The terminal output for two single runs."""

from io import StringIO

from rich.console import Console

from assay.analysis import single_runs
from assay.report import single_runs_text
from assay.single_runs import SingleRun


def run(file: str, ratio: float = 1.0, **more: object) -> SingleRun:
    medians = {f"tests/t.py::test_{n}": 1e-3 for n in range(3)}
    medians["tests/t.py::test_2"] *= ratio
    return SingleRun.model_validate({"file": file, "medians": medians, **more})


def printed(base: SingleRun, head: SingleRun) -> str:
    out = StringIO()
    results = single_runs.compare(base, head)
    single_runs_text.render(results, Console(file=out, width=80))
    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    return " ".join(text.split())


def test_nothing_beyond_says_what_cannot_be_seen() -> None:
    said = printed(run("a.json"), run("b.json"))
    assert "Changes below 15 % cannot be seen here." in said
    assert "the noise between two processes" in said
    assert "15 to 26 % of tests were more than 5 % slower" in said
    assert "worth measuring" not in said


def test_what_is_beyond_is_marked_and_not_decided() -> None:
    said = printed(run("a.json"), run("b.json", 1.3))
    assert "test_2 1.00 ms 1.30 ms 1.30× ±15 % worth measuring" in said
    assert "1 of 3 tests lies beyond the noise that is known" in said
    assert "assay compare BASE HEAD --benchmarks tests/t.py" in said
    assert "slower." not in said.replace("slower than", "")


def test_other_machines_and_missing_tests_are_said() -> None:
    head = run("b.json", python="CPython 3.13.0", unusable={"x": "its median is 0 s"})
    medians = {**head.medians, "new": 1.0}
    said = printed(run("a.json"), head.model_copy(update={"medians": medians}))
    assert "Python: unknown and CPython 3.13.0" in said
    assert "only in b.json: new" in said
    assert "left out: x: its median is 0 s" in said
    assert "Undecided: the noise between different machines is not known." in said


def test_hostile_names_are_harmless() -> None:
    evil = "[red]\x1b[31m\u202e"
    both = [SingleRun(file=evil, medians={evil: 1.0}) for _ in "ab"]
    said = printed(*both)
    assert "\x1b" not in said and "\u202e" not in said and "[red]" in said
