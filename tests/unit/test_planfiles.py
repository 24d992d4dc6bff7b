"""Files that people write: every mistake is found, and named with its line."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay import planfiles, tomlfiles
from assay.errors import InputError
from assay.plan import Plan

CLAIMS = """\
title = "Cache what is read often"
guide = "Performance Optimization > Caching Strategies"

[target]
command = "python -m uvicorn app:app --port {port}"
ready   = "/health"
needs   = ["redis"]

[scenario]
locustfile = "locustfile.py"
load = { users = 2, utilisation = 0.4 }

[variants]
uncached = { env = { CACHE = "0" } }
redis    = { env = { CACHE = "1" } }

[[claims]]
says      = "Redis cuts the mean response time by 70 %"
baseline  = "uncached"
candidate = "redis"
metric    = "latency.mean"
expect    = "<= 0.30"
profiles  = ["cpu", "memory"]

[[budgets]]
variant = "redis"
metric  = "latency.p99"
at_most = "50ms"
"""


@pytest.fixture
def topic(tmp_path: Path) -> Path:
    folder = tmp_path / "scenarios" / "caching"
    folder.mkdir(parents=True)
    (folder / "locustfile.py").write_text("")
    (folder / "claims.toml").write_text(CLAIMS)
    return folder


def load(here: Path, *topics: str, **settings: Any) -> Plan:
    return planfiles.load(topics, settings, "assay run", here)


def problems(topic: Path, old: str, new: str) -> str:
    text = CLAIMS.replace(old, new)
    assert text != CLAIMS
    (topic / "claims.toml").write_text(text)
    with pytest.raises(InputError) as caught:
        load(topic.parent.parent, "caching")
    return str(caught.value)


def test_a_whole_file_is_understood(topic: Path) -> None:
    here = topic.parent.parent
    plan = load(here, "caching", seed=7)
    found = plan.topic("caching")
    assert found.scenario.locustfile == topic / "locustfile.py"
    assert found.scenario.load.users == 2
    assert found.variant("redis").env == {"CACHE": "1"}
    assert found.claims[0].expect.text == "<= 0.30"
    assert found.budgets[0].at_most == pytest.approx(0.05)
    assert {preset.name for preset in plan.presets} == {"cpu", "memory"}
    assert plan.settings.seed == 7
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


@pytest.mark.parametrize("name", ["caching", "scenarios/caching", "."])
def test_topics_are_found_by_name_folder_or_path(topic: Path, name: str) -> None:
    here = topic if name == "." else topic.parent.parent
    assert [t.name for t in load(here, name).topics] == ["caching"]
    path = str(topic / "claims.toml")
    assert [t.name for t in load(here, path, path).topics] == ["caching"]


def test_without_names_all_topics_here_are_meant(topic: Path) -> None:
    assert [t.name for t in load(topic.parent.parent).topics] == ["caching"]
    assert [t.name for t in load(topic).topics] == ["caching"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("guide =", "giude =", ":2: giude: unknown key; did you mean 'guide'?"),
        ("users = 2", "usres = 2", ":11: scenario.load.usres: unknown key; did you"),
        ("users = 2", "users = 0", ":11: scenario.load.users: input should be greater"),
        ("expect    =", "expct =", "unknown key; did you mean 'expect'?"),
        ("expect    =", "expct =", "claims[1].expect: this key is missing"),
        ('"uncached"\nc', '"uncahced"\nc', ":19: claims[1].baseline: no variant"),
        ('"latency.mean"', '"latency.men"', ":21: claims[1].metric: no metric"),
        ('"latency.mean"', '"latency.men"', "did you mean 'latency.mean'?"),
        ('"latency.mean"', '"time"', "no metric 'time' here"),
        ('"<= 0.30"', '"about half"', ":22: claims[1].expect: cannot understand"),
        ('"50ms"', '"50"', ":28: budgets[1].at_most: cannot understand '50'"),
        ('"locustfile.py"', '"locust.py"', ":10: scenario.locustfile: no file"),
        ('["redis"]', '["rediss"]', ":7: target.needs: no service 'rediss'; did you"),
        ('["cpu", "memory"]', '["cpuu"]', "no preset 'cpuu' in profiles/; did you"),
        ("ready   =", "cwd = 'nowhere'\nready =", ":6: target.cwd: no folder"),
        ("command =", "kommand =", "did you mean 'command'?"),
        ("command =", "# command =", "variants.uncached: nothing to start"),
        ('candidate = "redis"', 'candidate = "uncached"', "another variant than"),
        ("[variants]", "[variants", "not valid TOML"),
        ("redis    =", '"a b" =', "expected a name of letters"),
    ],
)
def test_a_mistake_is_named_with_its_place(
    topic: Path, old: str, new: str, said: str
) -> None:
    message = problems(topic, old, new)
    assert said in message
    assert str(topic / "claims.toml") in message


def test_all_mistakes_are_named_at_once(topic: Path) -> None:
    message = problems(
        topic,
        'metric    = "latency.mean"\nexpect    = "<= 0.30"',
        'metric="m"\nexpect="e"',
    )
    assert "claims[1].metric" in message
    assert "claims[1].expect" in message


def test_a_topic_that_does_not_exist(topic: Path) -> None:
    with pytest.raises(InputError, match="no topic 'cahcing'.*did you mean 'caching'"):
        load(topic.parent.parent, "cahcing")
    with pytest.raises(InputError, match="no topics in"):
        load(topic.parent)


def test_two_topics_of_one_name(topic: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / "caching"
    other.mkdir(parents=True)
    (other / "locustfile.py").write_text("")
    (other / "claims.toml").write_text(CLAIMS)
    with pytest.raises(InputError, match="two topics are named 'caching'"):
        load(topic.parent.parent, "caching", str(other))


def test_the_project_sets_defaults_and_the_command_line_wins(topic: Path) -> None:
    here = topic.parent.parent
    (here / "pyproject.toml").write_text("[tool.assay]\nmargin = 0.1\nlooks = [12, 20]")
    settings = load(here, "caching").settings
    assert (settings.margin, settings.looks) == (0.1, (12, 20))
    assert load(here, "caching", margin=0.02).settings.margin == 0.02
    (here / "pyproject.toml").write_text("[tool.assay]\nmargins = 0.1")
    with pytest.raises(InputError, match="unknown key; did you mean 'margin'"):
        load(here, "caching")


def test_the_margin_of_the_project_is_that_of_its_claims(topic: Path) -> None:
    text = CLAIMS.replace('"<= 0.30"', '"same"')
    (topic / "claims.toml").write_text(text)
    here = topic.parent.parent
    wide = load(here, "caching", margin=0.5).topics[0].claims[0].expect
    assert wide.high > load(here, "caching").topics[0].claims[0].expect.high


def test_a_projects_own_preset_comes_first(topic: Path) -> None:
    here = topic.parent.parent
    (here / "profiles").mkdir()
    preset = here / "profiles" / "cpu.toml"
    preset.write_text('title = "Mine"\nprofiler = "py-spy"\nseconds = 1')
    assert planfiles.load_preset("cpu", here).title == "Mine"
    preset.write_text('title = "Mine"\nprofiler = "py-spi"\nseconds = 1')
    with pytest.raises(InputError, match="no profiler 'py-spi'; did you mean 'py-spy'"):
        planfiles.load_preset("cpu", here)
    preset.write_text('title = "Mine"\nprofiler = "py-spy"\nsecond = 1')
    with pytest.raises(InputError, match="second: unknown key; did you mean 'seconds'"):
        planfiles.load_preset("cpu", here)


def test_a_plan_that_only_profiles(topic: Path) -> None:
    here = topic.parent.parent
    plan = planfiles.profile_plan(load(here, "caching"), "redis", ["cpu"], here)
    assert [preset.name for preset in plan.presets] == ["cpu"]
    assert plan.topics[0].claims == ()
    with pytest.raises(InputError, match="no variant 'rediss'; did you mean 'redis'"):
        planfiles.profile_plan(load(here, "caching"), "rediss", ["cpu"], here)


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read every file")
def test_a_file_that_cannot_be_read(topic: Path) -> None:
    (topic / "claims.toml").chmod(0)
    with pytest.raises(InputError, match="cannot be read"):
        load(topic.parent.parent, "caching")


@given(st.text(max_size=200))
def test_no_text_breaks_the_line_finder(text: str) -> None:
    for line in tomlfiles.key_lines(text).values():
        assert 1 <= line <= len(text.splitlines())
