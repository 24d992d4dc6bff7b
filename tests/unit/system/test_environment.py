"""The recorded descriptions of the machine and the plan, without secrets."""

from pathlib import Path

import pytest

from assay.plan import Companion, Plan, Scenario, Target, Topic, Variant
from assay.system import environment


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("SECRET_KEY", "abc", "***"),
        ("DB_PASSWORD", "abc", "***"),
        ("API_TOKEN", "abc", "***"),
        ("CACHE", "1", "1"),
        ("DATABASE_URL", "postgresql://me:pw@db/shop", "postgresql://***@db/shop"),
        ("REDIS_URL", "redis://:pw@127.0.0.1:1/0", "redis://***@127.0.0.1:1/0"),
    ],
)
def test_secrets_are_not_recorded(name: str, value: str, shown: str) -> None:
    assert environment.redact({name: value}) == {name: shown}


def test_a_plan_is_described_without_its_secrets(tmp_path: Path) -> None:
    topic = Topic(
        name="shop",
        title="Shop",
        file=tmp_path / "claims.toml",
        target=Target(cwd=tmp_path, env={"PASSWORD": "tea"}),
        scenario=Scenario(),
        variants=(Variant(name="a", env={"TOKEN": "cake"}),),
    )
    plan = environment.redacted(Plan(topics=(topic,)))
    text = plan.model_dump_json()
    assert "tea" not in text and "cake" not in text
    described = environment.describe(plan)
    assert {"python", "cpu", "cores", "versions", "pinned"} <= set(described)


def test_no_part_of_a_plan_keeps_a_secret(tmp_path: Path) -> None:
    topic = Topic(
        name="shop",
        title="Shop",
        file=tmp_path / "claims.toml",
        target=Target(
            cwd=tmp_path,
            url="http://me:tea1@here",
            command="serve --port {port} --db-password 'tea2 tea2' --workers 2",
            prepare="API_TOKEN=tea3 ./seed --auth-token=tea4",
        ),
        companions=(
            Companion(
                name="bank",
                command="bank --key tea5",
                variable="BANK_URL",
                env={"BANK_SECRET": "tea6"},
            ),
        ),
        scenario=Scenario(arguments=("--api-token", "tea7", "--path", "/x")),
        variants=(
            Variant(name="a", url="http://me:tea8@there", command="sh -c 'KEY=tea9 x'"),
        ),
    )
    given = Plan(topics=(topic,), command="assay run shop --password=tea0 --seed 1")
    plan = environment.redacted(given)
    assert "tea" not in plan.model_dump_json()
    shown = plan.topics[0]
    assert shown.target.command == "serve --port {port} --db-password '***' --workers 2"
    assert shown.scenario.arguments == ("--api-token", "***", "--path", "/x")
    assert plan.command == "assay run shop '--password=***' --seed 1"


def test_folders_have_commits_of_their_own() -> None:
    here = Path(__file__).parent
    described = environment.describe(Plan(topics=()), {"locustfile.py": here})
    commits = described["commits"]
    assert isinstance(commits, dict) and list(commits) == ["locustfile.py"]
