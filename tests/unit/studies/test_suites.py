"""The study of suites: its repositories, slow-downs, missing runs, and its page."""

import tarfile
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from assay.report.markdown import escape
from assay.results import Comparison, LeftOut, Results
from assay.subject import git
from scripts.studies import suites, suites_packages, suites_page, suites_rounds
from scripts.studies.storage import append_row
from scripts.studies.suites_packages import BASE, IDENTICAL, PACKAGES, PLANTED, Package
from scripts.studies.suites_page import ASSAY, RIVAL, SuiteRun

PLUGGY, CATTRS, GRAPHQL = PACKAGES
TOY = Package(
    "toy", "1.0", ("bench",), "toy.py", "Toy.play", "bench/test_toy.py::a", 100
)

SOURCE = '''\
class Other:
    def play(self):
        return "other"


class Toy:
    """A class."""

    @overload
    def play(self, x: int) -> int: ...

    def play(self, x):
        """Play.

        Twice.
        """
        @decorated
        def twice():
            return 2 * x

        return twice()
'''


def run_of(
    verdicts: str = "same same",
    ratios: Sequence[float] = (1.0, 1.0),
    kind: str = IDENTICAL,
    seed: int = 0,
) -> SuiteRun:
    """Return a run of pluggy; the first test is the planted one."""
    tests = [PLUGGY.test, "b.py::other", "b.py::more"][: len(ratios)]
    return SuiteRun(
        "pluggy",
        kind,
        seed,
        "3m",
        150.0,
        verdicts=dict(zip(tests, verdicts.split(), strict=True)),
        ratios=dict.fromkeys(tests, 1.0),
        detectable=dict.fromkeys(tests, 0.02),
        shares={PLUGGY.test: 0.1} if kind == PLANTED else {},
        rival_ratios=dict(zip(tests, ratios, strict=True)),
        rival_seconds=40.0,
    )


def test_the_loop_begins_the_function_and_changes_nothing_else() -> None:
    slower = suites_packages.with_loop(SOURCE, "Toy.play", 7)
    kept = [line for line in slower.splitlines() if "planted_rounds" not in line]
    assert kept == SOURCE.splitlines()
    counted = "class Toy:\n    rounds = []\n\n" + slower.partition("class Toy:\n")[2]
    # Each round of the loop calls `one`, so that rounds can be counted.
    counted = counted.replace("planted_rounds -= 1", "planted_rounds -= one(self)")
    space: dict[str, object] = {"overload": lambda f: f, "decorated": lambda f: f}

    def one(toy: object) -> int:
        getattr(toy, "rounds").append(1)
        return 1

    space["one"] = one
    exec(counted, space)
    toy = space["Toy"]()  # type: ignore[operator]
    assert toy.play(3) == 6
    assert len(toy.rounds) == 7
    assert toy.play.__doc__.startswith("Play.")


def test_the_loop_comes_first_where_there_is_only_a_docstring_or_no_docstring() -> None:
    only = suites_packages.with_loop('def f():\n    """Do it."""\n', "f", 3)
    assert only.splitlines()[1] == "    planted_rounds = 3"
    none = suites_packages.with_loop("def f(x):\n    return x\n", "f", 3)
    assert none.splitlines()[1:3] == [
        "    planted_rounds = 3",
        "    while planted_rounds:",
    ]
    with pytest.raises(ValueError, match="'g'"):
        suites_packages.with_loop("def f():\n    pass\n", "g", 3)


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the repository of a package that needs no index."""
    source = tmp_path / "toy-1.0"
    source.mkdir()
    (source / "README.rst").write_text("Toy\n")
    (source / "toy.py").write_text(SOURCE)
    (source / ".gitignore").write_text("_version.py\n")
    (source / "_version.py").write_text("version = '1.0'\n")
    archive = tmp_path / "toy-1.0.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(source, "toy-1.0")
    monkeypatch.setattr(suites_packages, "download", lambda package, folder: archive)
    return suites_packages.repository(TOY, tmp_path / "packages")


def changed(place: Path, branch: str) -> list[str]:
    return git.line(place, "diff", "--name-only", BASE, branch).splitlines()


def test_a_repository_has_all_files_and_identical_code(toy: Path) -> None:
    listed = git.line(toy, "ls-tree", "-r", "--name-only", BASE).splitlines()
    assert listed == [".gitignore", "README.rst", "_version.py", "toy.py"]
    assert git.line(toy, "describe", "--tags", BASE) == "v1.0"
    assert changed(toy, IDENTICAL) == ["README.rst"]
    before = git.line(toy, "rev-parse", BASE, IDENTICAL)
    assert suites_packages.repository(TOY, toy.parent) == toy
    assert git.line(toy, "rev-parse", BASE, IDENTICAL) == before


def test_a_slow_down_is_a_commit_on_the_base_and_can_be_made_again(toy: Path) -> None:
    names = []
    for rounds in (5, 9, 5):
        suites_packages.slow_down(TOY, toy, PLANTED, rounds)
        assert changed(toy, PLANTED) == ["toy.py"]
        names.append(git.line(toy, "rev-parse", PLANTED))
    assert names[0] == names[2] != names[1]
    assert (toy / "toy.py").read_text() == SOURCE


def test_the_rounds_add_a_tenth_to_the_benchmark() -> None:
    before = [{TOY.test: 1.0, "x": 1.0, "y": 4.0, "lost": 1.0}] * 2
    before += [{TOY.test: 1.2, "x": 1.2, "y": 4.0}]
    after = [{TOY.test: x[TOY.test] * 3, "x": 2 * x["x"], "y": 4.1} for x in before]
    found = suites_rounds.scaled(TOY, before, after)
    # 100 rounds add 200 % to the benchmark, so 5 rounds add 10 %. To test `x`, which
    # 100 rounds make twice as slow, 5 rounds add 5 %.
    assert found.rounds == 5
    assert found.seconds == 1.0
    assert found.shares == {TOY.test: 0.1, "x": 0.05}


def test_a_probe_that_adds_too_little_is_refused() -> None:
    with pytest.raises(SystemExit, match="more rounds"):
        suites_rounds.scaled(TOY, [{TOY.test: 1.0}], [{TOY.test: 1.1}])
    with pytest.raises(SystemExit, match="more rounds"):
        suites_rounds.scaled(TOY, [{"other": 1.0}], [{"other": 9.0}])


def test_the_rival_compares_the_tests_that_both_sides_have() -> None:
    before = {"a": 1.0, "zero": 0.0, "removed": 1.0}
    after = {"a": 1.1, "zero": 1.0, "new": 1.0}
    assert suites_rounds.ratios_of(before, after) == {"a": 1.1}


def test_runs_go_round_the_packages_and_leave_out_finished_ones() -> None:
    wanted = suites.jobs(PACKAGES, {IDENTICAL: 2, PLANTED: 4})
    names = [job.name for job in wanted]
    assert names[:5] == [
        "pluggy-identical-00",
        "cattrs-identical-00",
        "graphql-core-identical-00",
        "pluggy-planted-00",
        "pluggy-identical-01",
    ]
    assert len(names) == 2 * 3 + 4
    assert names[-2:] == ["graphql-core-planted-02", "pluggy-planted-03"]
    left = suites.missing(wanted, [run_of(), run_of(kind=PLANTED)])
    assert len(left) == len(wanted) - 2
    assert not {"pluggy-identical-00", "pluggy-planted-00"} & {x.name for x in left}
    assert suites.jobs(PACKAGES, {}) == []


def test_stored_runs_come_back_and_those_of_another_budget_do_not(
    tmp_path: Path,
) -> None:
    runs = [run_of(), run_of(kind=PLANTED), replace(run_of(), budget="30s")]
    for run in runs:
        append_row(tmp_path / "runs.jsonl", asdict(run))
    assert suites.read(tmp_path, "3m") == runs[:2]


def test_a_run_has_what_assay_said_of_each_test() -> None:
    common = {"topic": "t", "baseline": "base", "candidate": "head", "metric": "time"}
    one = Comparison(
        **common, test="a", ratio=1.1, low=1.0, high=1.2, launches=9, verdict="slower"
    )
    seen = one.model_copy(update={"test": "b", "verdict": "same", "detectable": 0.02})
    none = one.model_copy(update={"test": "c", "ratio": None, "verdict": "undecided"})
    lost = LeftOut(topic="t", test="d", kind="failed", reason="it failed")
    results = Results(
        run="r", partial=False, seed=1, comparisons=(one, seen, none), left_out=(lost,)
    )
    run = suites.with_results(run_of(), results)
    assert run.verdicts == {"a": "slower", "b": "same", "c": "undecided"}
    assert run.ratios == {"a": 1.1, "b": 1.1}
    assert run.detectable == {"b": 0.02}
    assert run.left_out == {"d": "failed"}
    assert run.called() == ["a"]


def test_packages_are_selected_by_name() -> None:
    assert suites.select_packages("") == list(PACKAGES)
    assert suites.select_packages("cattrs") == [CATTRS]
    with pytest.raises(SystemExit, match="nothing"):
        suites.select_packages("nothing")


def test_identical_code_called_slower_is_counted_for_both_rules() -> None:
    runs = [
        run_of("same slower", (1.0, 1.06)),
        run_of("same undecided", (1.051, 1.2), seed=1),
        run_of("same faster", (1.05, 0.9), seed=2),
    ]
    assert suites_page.false_runs(runs, ASSAY) == "1 of 3"
    assert suites_page.false_tests(runs, ASSAY) == "1 of 6"
    assert suites_page.false_runs(runs, RIVAL) == "2 of 3"
    assert suites_page.false_tests(runs, RIVAL) == "3 of 6"
    row = next(
        line
        for line in suites_page.identical(runs).splitlines()
        if line.startswith("| pluggy")
    )
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[1:8] == ["3", "2", "1 of 3", "1 of 6", "2 of 3", "3 of 6", "1"]
    assert cells[8:] == ["2.5 min", "40 s", "2 %"]


def test_tests_that_run_the_loop_are_no_false_calls() -> None:
    runs = [
        run_of("slower slower", (1.1, 1.0), PLANTED),
        run_of("undecided same", (1.0, 1.3), PLANTED, 1),
    ]
    assert suites_page.found(runs, ASSAY) == "1 of 2"
    assert suites_page.found(runs, RIVAL) == "1 of 2"
    assert suites_page.false_tests(runs, ASSAY) == "1 of 2"
    also = replace(runs[0], shares={PLUGGY.test: 0.1, "b.py::other": 0.3})
    assert suites_page.false_tests([also], ASSAY) == "0 of 0"
    assert "1: +30 % to +30 %" in suites_page.slow_downs([also])


def test_the_page_has_what_was_wrong_and_what_was_not_measured() -> None:
    failed = SuiteRun("cattrs", IDENTICAL, 4, "3m", 5.0, "exit code 4: <no> build")
    runs = [run_of("same slower"), run_of(kind=PLANTED), failed]
    text = suites_page.page(runs, "3m", ["a machine"])
    assert f"| pluggy | identical | 0 | {escape('b.py::other')} | 1.000 |" in text
    assert "| cattrs | identical | 4 | exit code 4" in text
    assert "<no>" not in text
    assert "| cattrs 26" not in text  # no measured run
    assert "slower in 1 of 1 runs, and pytest-benchmark in 0 of 1." in text
    assert "--budget\n3m --no-profiles" in text


def test_the_page_can_be_made_without_runs() -> None:
    text = suites_page.page([], "3m", [])
    assert "Nothing was measured." in text
    assert "Not measured." in text


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_the_planted_benchmark_is_one_of_the_suite(package: Package) -> None:
    assert package.test.startswith(package.benchmarks)
    assert "::" in package.test
