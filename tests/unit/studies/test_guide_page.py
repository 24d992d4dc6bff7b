"""The guide, measured: every sentence is tested by claims that exist."""

from pathlib import Path

import pytest

from assay.inputs import loader
from assay.report.markdown import escape
from assay.results import BudgetResult, ClaimResult, Comparison, Results, Value
from scripts.studies import guide_page
from scripts.studies.guide_page import Sentence, page, sentences, verdict

ROOT = Path(__file__).parents[3]
RATIO = 0.25


def measured(word: str = "holds") -> Results:
    """Return results of all claims and budgets of the scenarios, with one verdict."""
    plan = loader.load([], {}, "assay run", ROOT)
    claims, comparisons, budgets, values = [], [], [], []
    for topic in plan.topics:
        for claim in topic.claims:
            key = {
                "topic": topic.name,
                "baseline": claim.baseline,
                "candidate": claim.candidate,
                "metric": claim.metric,
            }
            claims.append(
                ClaimResult.model_validate(
                    key
                    | {"says": claim.says, "expect": claim.expect.text, "reason": ""}
                    | {"verdict": word, "alone": word}
                )
            )
            comparisons.append(
                Comparison.model_validate(
                    key | {"ratio": RATIO, "low": 0.2, "high": 0.3, "launches": 14}
                )
            )
        for budget in topic.budgets:
            key = {
                "topic": topic.name,
                "variant": budget.variant,
                "metric": budget.metric,
            }
            budgets.append(
                BudgetResult.model_validate(
                    key
                    | {"at_most": budget.at_most, "value": 0.0, "high": 0.0005}
                    | {"verdict": word}
                )
            )
            for variant, value in (("legacy", 0.125), ("optimised", 0.0)):
                values.append(
                    Value.model_validate(
                        key
                        | {"variant": variant, "value": value, "launches": 14}
                        | {"low": None, "high": None}
                    )
                )
    return Results(
        run="guide",
        partial=False,
        seed=1,
        claims=tuple(claims),
        comparisons=tuple(comparisons),
        budgets=tuple(budgets),
        values=tuple(values),
    )


def test_every_sentence_is_tested_by_claims_that_exist() -> None:
    text = page(measured(), {"machine": "a <machine>"})
    tested = [sentence for sentence in sentences() if not sentence.reason]
    assert text.count("| ✅ **holds** |") == len(tested)
    assert f"{len(tested)} sentences: holds {len(tested)}." in text
    assert "a <machine>" not in text
    budget = "`legacy` 12.5 %, `optimised` 0 %; `optimised` ≤ 0.1 %: holds"
    assert f"`errors` of `peak_traffic`: {budget}" in text
    parts = {sentence.where.partition(" > ")[0] for sentence in tested}
    assert {line[3:] for line in text.splitlines() if line.startswith("## ")} == {
        *parts,
        "Not measurable",
    }


def test_an_explanation_is_shown_only_with_its_verdict() -> None:
    explanations = {
        (word, text)
        for sentence in sentences()
        for word, text in sentence.because.items()
    }
    assert len(explanations) > 5
    for verdict_of_all in ("holds", "refuted", "undecided"):
        text = page(measured(verdict_of_all), {})
        for word, because in explanations:
            expected = (verdict_of_all, because) in explanations
            assert (escape(because) in text) == expected, word


def test_a_claim_that_is_undecided_only_among_all_claims_is_marked() -> None:
    results = measured("undecided")
    alone = [c.model_copy(update={"alone": "refuted"}) for c in results.claims]
    text = page(results.model_copy(update={"claims": tuple(alone)}), {})
    assert "undecided (refuted on its own, but not among all claims" in text
    assert "on its own" not in page(results, {})


def test_every_topic_tests_a_sentence() -> None:
    topics = {claim.topic for claim in measured().claims}
    named = {name.partition("/")[0] for s in sentences() for name in s.claims}
    # The topic `middleware` is measured, although the guide has no sentence about it.
    assert topics - named == {"middleware"}


def test_a_sentence_must_not_name_a_missing_claim() -> None:
    results = measured()
    fewer = results.model_copy(update={"claims": results.claims[1:]})
    with pytest.raises(ValueError, match="the run has no"):
        page(fewer.model_copy(update={"claims": ()}), {})


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["holds", "holds"], "holds"),
        (["refuted"], "refuted"),
        (["holds", "refuted", "undecided"], "depends"),
        (["holds", "undecided"], "undecided"),
    ],
)
def test_the_verdict_on_a_sentence(words: list[str], expected: str) -> None:
    claims = [
        measured().claims[0].model_copy(update={"verdict": word}) for word in words
    ]
    assert verdict(claims) == expected


def test_a_sentence_has_claims_or_a_reason(tmp_path: Path) -> None:
    file = tmp_path / "guide.toml"
    file.write_text('[[sentences]]\nsays = "a"\nwhere = "b"\n')
    with pytest.raises(ValueError, match="needs claims or budgets, or a reason"):
        sentences(file)
    file.write_text('[[sentences]]\nsays = "a"\nwhere = "b"\nreason = "c"\n')
    assert sentences(file) == [Sentence("a", "b", reason="c")]
    file.write_text('[[sentences]]\nsays = "a"\nwhere = "b"\nclaims = ["c"]\n')
    with file.open("a") as more:
        more.write('because.refutes = "d"\n')
    with pytest.raises(ValueError, match=r"'a' explains \['refutes'\]; verdicts are"):
        sentences(file)
    assert guide_page.FILE.is_file()
