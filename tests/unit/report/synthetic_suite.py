"""A synthetic comparison of two commits by a suite of benchmarks."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from assay.analysis import gates, suites
from assay.commits import CommitSide, Subject
from assay.gating import Gating
from assay.plan import Plan, Scenario, Target, Topic, Variant
from assay.results import Comparison, LeftOut, Results, Value, Verdict
from assay.run_directory.run import RunDirectory

TODAY = date(2026, 6, 1)
RATIOS = {"slower": 1.2, "faster": 0.8, "same": 1.001, "undecided": 1.03}


def name_of(verdict: str, number: int) -> str:
    return f"tests/test_{verdict}.py::test_{number}[a-{number}]"


def comparison(test: str, verdict: Verdict, ratio: float) -> Comparison:
    return Comparison(
        topic="benchmarks",
        test=test,
        baseline="base",
        candidate="head",
        metric="time",
        ratio=ratio,
        low=ratio * 0.98,
        high=ratio * 1.02,
        launches=15,
        verdict=verdict,
        reason="" if verdict == "same" else f"it came out as {verdict}",
        detectable=0.02,
    )


def build_suite(
    path: Path,
    counts: dict[Verdict, int],
    gating: Gating | None = None,
    left_out: Sequence[LeftOut] = (),
    suffix: str = "",
    partial: bool = False,
) -> RunDirectory:
    """Write a run directory.

    Args:
        path: The path of the directory; it must not exist.
        counts: For each verdict, the number of tests.
        gating: Thresholds and waivers.
        left_out: The tests that were not compared.
        suffix: The end of every name.
        partial: The field `partial` of results.json.
    """
    compared = tuple(
        comparison(name_of(verdict, number) + suffix, verdict, RATIOS[verdict])
        for verdict, count in counts.items()
        for number in range(count)
    )
    tests = tuple(item.test for item in compared)
    sides = {
        name: CommitSide(
            name=name,
            sha=digit * 40,
            subject="A commit" + suffix,
            dirty=False,
            environment="uv.lock",
            python="3.12.1",
        )
        for name, digit in (("main", "1"), ("branch", "2"))
    }
    plan = Plan(
        topics=(
            Topic(
                name="benchmarks",
                title="Benchmarks of prices",
                file=Path("claims.toml"),
                target=Target(cwd=Path()),
                scenario=Scenario(benchmarks="tests", paths=("tests",), tests=tests),
                variants=(Variant(name="base"), Variant(name="head")),
            ),
        ),
        command="assay compare --benchmarks tests",
        subject=Subject(base=sides["main"], head=sides["branch"]),
        gating=gating or Gating(day=TODAY),
    )
    results = Results(
        run=path.name,
        partial=partial,
        seed=1,
        comparisons=compared,
        pairs=(suites.judge("benchmarks", ("base", "head"), compared, 0.05),),
        left_out=tuple(left_out),
        values=tuple(
            Value(
                topic="benchmarks",
                test=item.test,
                variant=side,
                metric="time",
                value=1e-3 * ratio,
                low=None,
                high=None,
                launches=15,
            )
            for item in compared
            for side, ratio in (("base", 1.0), ("head", item.ratio or 1.0))
        ),
    )
    run = RunDirectory.create(path, plan, {})
    run.write_results(gates.decide(plan, results))
    return run
