"""What is recorded of a machine, and what must not be."""

from pathlib import Path

import pytest

from assay import environment
from assay.plan import Plan, Scenario, Target, Topic, Variant


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
