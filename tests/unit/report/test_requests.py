"""Requests that are judged one by one, in every form of the report."""

from pathlib import Path

import pytest

from assay import report
from assay.analysis import gates, pair_verdicts
from assay.gating import Gating
from assay.metrics import OF_REQUEST
from assay.plan import Plan, Scenario, Target, Topic, Variant
from assay.results import Comparison, Results, Value, Verdict
from assay.run_directory.run import RunDirectory
from tests.unit.report.synthetic import HOSTILE
from tests.unit.report.test_junit import outcomes

REQUESTS: dict[str, Verdict] = {
    "GET /plans": "slower",
    "GET /cities": "faster",
    "GET /health": "same",
    "GET /rare": "undecided",
}
RATIOS = {"slower": 1.08, "faster": 0.8, "same": 1.0, "undecided": 1.03}


def compared(verdict: Verdict, request: str = "") -> Comparison:
    ratio = RATIOS[verdict]
    return Comparison(
        topic="perf",
        test=request,
        baseline="base",
        candidate="head",
        metric=OF_REQUEST if request else "cpu_per_request",
        ratio=ratio,
        low=ratio - 0.02,
        high=ratio + 0.02,
        launches=15,
        verdict=verdict,
        detectable=0.02 if request else None,
    )


@pytest.fixture(params=["", HOSTILE], ids=["plain", "hostile"])
def run(tmp_path: Path, request: pytest.FixtureRequest) -> RunDirectory:
    items = [compared(word, name + request.param) for name, word in REQUESTS.items()]
    every = (compared("same"), *items)
    topic = Topic(
        name="perf",
        title="The service",
        file=Path("claims.toml"),
        target=Target(command="serve --port {port}", cwd=Path()),
        scenario=Scenario(locustfile=Path("locustfile.py"), each_request=True),
        variants=(Variant(name="base"), Variant(name="head")),
    )
    # Undecided comparisons fail the job.
    plan = Plan(topics=(topic,), gating=Gating(undecided="fail"))
    results = Results(
        run="run",
        partial=False,
        seed=1,
        comparisons=every,
        pairs=(pair_verdicts.judge(every, 0.05),),
        values=tuple(
            Value(
                topic="perf",
                test=item.test,
                variant=side,
                metric=item.metric,
                value=2e-3,
                low=None,
                high=None,
                launches=15,
            )
            for item in every
            for side in ("base", "head")
        ),
    )
    directory = RunDirectory.create(tmp_path / "run", plan, {})
    directory.write_results(gates.decide(plan, results))
    return directory


def text_of(run: RunDirectory, form: str) -> str:
    return report.FORMATS[form][1](run)


def test_an_undecided_request_fails_no_job(run: RunDirectory) -> None:
    by_name = {name.split("<")[0]: tag for name, tag in outcomes(run).items()}
    assert by_name["as a whole"] == "failure"
    found = {
        word: tag
        for request, word in REQUESTS.items()
        for name, tag in by_name.items()
        if name.startswith(request)
    }
    assert found == {
        "slower": "failure",
        "faster": "system-out",
        "same": "system-out",
        "undecided": "skipped",
    }


def test_the_page_has_a_table_of_requests_below_the_metrics(run: RunDirectory) -> None:
    page = text_of(run, "html")
    assert HOSTILE not in page and "<script>alert" not in page
    table = page.index("Requests one by one")
    assert page.index(">cpu_per_request<") < table
    for request in REQUESTS:
        assert request in page[table:]
    assert "1 request the same within 5 %" in page
    assert "Each request is judged by itself, too" in page


def test_the_summary_counts_requests_as_requests(run: RunDirectory) -> None:
    summary = text_of(run, "markdown")
    assert "GET /plans" in summary and "`request.p25`" in summary
    assert "1 request is undecided" in summary
    assert "1 request is the same within 5 %" in summary
    assert "test is" not in summary
