"""Which databases two commits use, and the warnings about shared ones."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from assay.experiment.companions import Dependencies
from assay.experiment.run import _shared_databases
from assay.plan import Companion, Target, Topic, Variant
from tests.unit.synthetic import plan

URLS = {"DATABASE_URL": "postgresql://db/postgres", "REDIS_URL": "redis://cache/0"}
OWN = {
    "base": {"DATABASE_URL": "postgresql://db/assay_base", "REDIS_URL": "redis://c/1"},
    "head": {"DATABASE_URL": "postgresql://db/assay_head", "REDIS_URL": "redis://c/2"},
}


def commits(**env: str) -> Topic:
    """Return a topic of two commits whose variants set these variables."""
    variants = [Variant(name=side, cwd=Path(side), env=env) for side in OWN]
    target = Target(cwd=Path(), needs=("postgres", "redis"), prepare="migrate")
    update = {"target": target, "variants": tuple(variants)}
    return plan().topics[0].model_copy(update=update)


def without(variable: str) -> dict[str, dict[str, str]]:
    """Return each side's own databases if one service is given by URL."""
    return {
        side: {name: url for name, url in urls.items() if name != variable}
        for side, urls in OWN.items()
    }


@pytest.mark.parametrize(
    ("own", "env", "shared"),
    [
        (OWN, {}, []),
        (without("REDIS_URL"), {}, ["redis"]),
        ({}, {}, ["postgres", "redis"]),
        (OWN, {"DATABASE_URL": "postgresql://mine"}, ["postgres"]),
    ],
)
def test_which_databases_are_shared(
    own: dict[str, dict[str, str]], env: Mapping[str, str], shared: list[str]
) -> None:
    called = Dependencies(URLS, own)
    used = called.used_by(commits(**env))
    assert called.shared(used) == shared
    for variant in used.variants:
        assert variant.env == {**own.get(variant.name, {}), **env}
    warnings = _shared_databases(used, called)
    one_server = [text for text in warnings if "FLUSHALL empties both" in text]
    assert len(one_server) == ("redis" not in shared)
    others = [text for text in warnings if text not in one_server]
    assert len(others) == bool(shared)
    assert all(f"the same {' and '.join(shared)}," in text for text in others)


def test_companions_that_use_one_of_two_databases_are_said() -> None:
    mail = Companion(name="mail", command="mail", variable="MAIL_URL")
    topic = commits().model_copy(update={"companions": (mail,)})
    called = Dependencies(URLS, OWN)
    said = _shared_databases(called.used_by(topic), called)
    assert any("the companions used that of HEAD" in text for text in said)
