from pathlib import Path

import pytest

from assay.experiment.run import judge
from assay.report.summary import answer, title, without_own_claim
from assay.results import Results
from tests.unit.report.synthetic import build


def only(results: Results, *verdicts: str) -> Results:
    """Keep the first claims, with these verdicts, and no budgets."""
    claims = tuple(
        claim.model_copy(update={"verdict": verdict})
        for claim, verdict in zip(results.claims, verdicts, strict=False)
    )
    return results.model_copy(update={"claims": claims, "budgets": ()})


@pytest.mark.parametrize(
    ("verdicts", "sentence"),
    [
        (["holds"], "The claim holds."),
        (["refuted", "refuted"], "Both claims are refuted."),
        (["holds"] * 3, "All 3 claims hold."),
        (
            ["holds", "holds", "refuted"],
            "2 of 3 claims hold, 1 is refuted.",
        ),
        (
            ["refuted", "holds", "undecided", "undecided"],
            "1 of 4 claims holds, 1 is refuted and 2 are undecided.",
        ),
        (
            ["refuted", "undecided"],
            "1 of 2 claims is refuted, 1 is undecided.",
        ),
    ],
)
def test_the_answer_is_one_sentence(
    tmp_path: Path, verdicts: list[str], sentence: str
) -> None:
    run = build(tmp_path / "run", sampled=False, profiled=False)

    assert answer(run.plan(), only(run.results(), *verdicts)) == sentence


def test_without_claims_the_answer_is_what_was_decided(tmp_path: Path) -> None:
    run = build(tmp_path / "run", topics=["aiosqlite"], sampled=False, profiled=False)
    plan = run.plan()
    topic = plan.topics[0].model_copy(update={"claims": ()})
    plan = plan.model_copy(update={"topics": (topic,)})
    results = run.results().model_copy(update={"claims": ()})

    assert title(plan, results) == "Is aiosqlite slower than def-sqlite?"
    assert answer(plan, results) == (
        "Aiosqlite against def-sqlite: slower by throughput (0.76× [0.74, 0.78]), "
        "slower by cpu_per_request (1.28× [1.23, 1.33])."
    )
    assert len(without_own_claim(results)) == 2


def test_a_run_that_died_is_undecided_and_keeps_its_numbers(tmp_path: Path) -> None:
    run = build(tmp_path / "run", topics=["caching"], finished=False, launches=3)

    results = judge(run)

    assert results.partial
    assert [claim.verdict for claim in results.claims] == ["undecided"] * 2
    assert [budget.verdict for budget in results.budgets] == ["undecided"]
    throughput = {
        value.variant: value.value
        for value in results.values
        if value.metric == "throughput"
    }
    assert throughput["redis"] / throughput["uncached"] == pytest.approx(8.4, rel=0.2)
    assert "did not finish" in answer(run.plan(), results)


def test_a_run_that_died_before_its_first_launch(tmp_path: Path) -> None:
    run = build(tmp_path / "run", topics=["caching"], finished=False, launches=0)

    assert judge(run).values == ()
