"""Files that people write: every mistake is found, and named with its line."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import InputError
from assay.inputs import loader, toml_file
from assay.plan import DEFAULT_PROFILES, Plan

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
    return loader.load(topics, settings, "assay run", here)


def problems(topic: Path, old: str, new: str = "") -> str:
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
    assert {preset.name for preset in plan.presets} == set(DEFAULT_PROFILES)
    assert plan.settings.seed == 7
    assert Plan.model_validate_json(plan.model_dump_json()) == plan


def test_a_load_that_changes_or_thinks_is_understood(topic: Path) -> None:
    shaped = "users = 2, think_time = true, shape = 'spike 1..4 for 0.5s'"
    text = CLAIMS.replace("users = 2", shaped)
    (topic / "claims.toml").write_text(text)
    found = load(topic.parent.parent, "caching").topic("caching").scenario.load
    assert found.think_time
    assert (max(found.multiples), found.times[-1]) == (4.0, 2.0)


def test_what_a_target_calls_is_understood(topic: Path) -> None:
    more = 'copy = true\nround_trip = { redis = "1ms" }\nneeds   ='
    text = CLAIMS.replace("needs   =", more)
    text += """
[companions.mail]
command = "python mail.py {port}"
variable = "MAIL_URL"
"""
    (topic / "claims.toml").write_text(text)
    found = load(topic.parent.parent, "caching").topic("caching")
    assert found.target.round_trip == {"redis": 0.001} and found.target.copied
    (mail,) = found.companions
    assert (mail.name, mail.variable, mail.ready) == ("mail", "MAIL_URL", "/")


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
        (
            "needs   =",
            "round_trip = { postgres = '1ms' }\nneeds =",
            "expected a service that `needs` lists",
        ),
        (
            "needs   =",
            "round_trip = { redis = 'far' }\nneeds =",
            "'far' is not a duration",
        ),
        ("users = 2", "shape = 'ramp'", ":11: scenario.load.shape: shape = 'ramp': no"),
        (
            "users = 2",
            "shape = 'ramp 0..0'",
            "contains no arrivals; expected multiples",
        ),
        (
            "users = 2",
            "shape = 'steps 1,2 each 30s'",
            "lasts 60 s; a slice may last at most 10 s",
        ),
        ("users = 2", "shape = 'no.csv'", "no.csv: cannot be read"),
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
        ("ready   =", "copied = true\nready   =", "did you mean 'copy'?"),
        (
            "command = ",
            'copy = true\nurl = "http://shop" # ',
            ":5: target.copy: only for a server that Assay starts",
        ),
        ("command =", "# command =", "variants.uncached: nothing to start"),
        ('candidate = "redis"', 'candidate = "uncached"', "a variant other than"),
        ("[variants]", "[variants", "not valid TOML"),
        pytest.param(
            "command =",
            f"x = {'[' * 100_000}\ncommand =",
            "cannot be read: nested too deeply",
            id="nested",
        ),
        ("redis    =", '"a b" =', "expected a name of letters"),
        ("redis    =", f"{'r' * 65} =", "of at most 64"),
        (
            "[variants]",
            "[companions.'../a']\ncommand = 'm'\nvariable = 'M'\n[variants]",
            "expected a name of letters",
        ),
        (
            '"python -m uvicorn app:app --port {port}"',
            '"python \'"',
            ":5: target.command: expected a command line, as in a shell (no closing",
        ),
        (
            "ready   =",
            'prepare = "a \\"b"\nready =',
            ":6: target.prepare: expected a c",
        ),
        ("ready   =", "prepare = '  '\nready =", ":6: target.prepare: expected a com"),
        (
            "ready   =",
            "prepare = \"''\"\nready =",
            "target.prepare: expected a command",
        ),
        ("ready   =", 'prepare = "a\\u0000"\nready =', "without a NUL character"),
        (
            '{ CACHE = "0" } }',
            '{}, command = "" }',
            ":14: variants.uncached.command: e",
        ),
        (
            "[variants]",
            "[companions.m]\ncommand = \"'\"\nvariable = 'M'\n[variants]",
            ":14: companions.m.command: expected a command line",
        ),
        ("CACHE =", '"" =', "expected the name of a variable"),
        (
            'CACHE = "0"',
            'CACHE = "\\u0000"',
            "variants.uncached.env.CACHE: expected te",
        ),
        (
            '"/health"',
            '"health"',
            ":6: target.ready: expected a path that begins with /",
        ),
        ('"/health"', '"/\\n"', ":6: target.ready: expected a path that begins with /"),
        (
            "ready   =",
            "guard = 'up'\nready =",
            ":6: target.guard: expected a path that",
        ),
        (
            "users = 2",
            "arrival_rate = inf",
            ":11: scenario.load.arrival_rate: input sh",
        ),
        ("users = 2", "arrival_rate = 1e12", "input should be less than or equal to"),
        (
            "ready   =",
            "ready_timeout = inf\nready =",
            "should be a finite number, got i",
        ),
        (
            "ready   =",
            "ready_timeout = nan\nready =",
            "should be a finite number, got n",
        ),
        (
            '"locustfile.py"',
            '""',
            ":10: scenario.locustfile: string should have at leas",
        ),
        ('"locustfile.py"', f"'{'l' * 300}'", ":10: scenario.locustfile: no file"),
        ("ready   =", f"cwd = '{'c' * 300}'\nready =", ":6: target.cwd: no folder"),
        (
            '["cpu", "memory"]',
            '["../cpu"]',
            "no preset '../cpu': expected the name of a",
        ),
        (
            '["cpu", "memory"]',
            '[""]',
            "no preset '': expected the name of a file in pr",
        ),
        (
            '["cpu", "memory"]',
            f"['{'p' * 300}']",
            "expected the name of a file in profi",
        ),
    ],
)
def test_a_mistake_is_named_with_its_place(
    topic: Path, old: str, new: str, said: str
) -> None:
    message = problems(topic, old, new)
    assert said in message
    assert str(topic / "claims.toml") in message


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8000",
        "ftp://shop.example",
        "http://",
        "http:///path",
        "http://shop.example:99999",
        "http://shop.example:0",
        "http://shop.example:port",
        "http://shop.example/?a=1",
        "http://shop .example",
        "http://[::1",
        f"http://{'l' * 64}.example",
        "http://shop.example/\\u001b",
    ],
)
def test_a_url_that_nothing_can_answer(topic: Path, url: str) -> None:
    said = "url: expected a URL of http:// or https://, a host, and perhaps :port"
    assert f":6: target.{said}" in problems(topic, "ready ", f'url = "{url}"\nready ')
    with_url = f'redis    = {{ url = "{url}", '
    assert f":15: variants.redis.{said}" in problems(topic, "redis    = {", with_url)


@pytest.mark.parametrize(
    "url", ["http://[::1]:8000", "https://user:pw@shop.example/v1"]
)
def test_a_url_of_a_server_that_runs(topic: Path, url: str) -> None:
    text = CLAIMS.replace("command = ", f'url = "{url}" # ')
    (topic / "claims.toml").write_text(text.replace('["cpu", "memory"]', "[]"))
    assert load(topic.parent.parent, "caching").topics[0].target.url == url


@pytest.mark.parametrize(
    ("old", "new", "variants"),
    [
        ("command = ", 'url = "http://shop" # ', ["uncached", "redis"]),
        ("redis    = {", 'redis    = { url = "http://shop",', ["redis"]),
    ],
)
def test_profiles_of_a_server_that_runs_already(
    topic: Path, old: str, new: str, variants: list[str]
) -> None:
    message = problems(topic, old, new)
    for name in variants:
        said = f"claims[1].profiles: variant {name!r} is a server that runs already"
        assert f":23: {said}: profiles need a process" in message
    assert len(message.splitlines()) == len(variants)


def test_a_variant_with_a_command_can_be_profiled_beside_a_url(topic: Path) -> None:
    text = CLAIMS.replace("command =", 'url = "http://shop"\ncommand =')
    for name in ("uncached", "redis   "):
        text = text.replace(f"{name} = {{", f'{name} = {{ command = "serve",')
    (topic / "claims.toml").write_text(text)
    assert load(topic.parent.parent, "caching").topics[0].claims[0].profiles


def test_all_mistakes_are_named_at_once(topic: Path) -> None:
    message = problems(
        topic,
        'metric    = "latency.mean"\nexpect    = "<= 0.30"',
        'metric="m"\nexpect="e"',
    )
    assert "claims[1].metric" in message
    assert "claims[1].expect" in message


def test_mistakes_of_every_kind_are_named_at_once(topic: Path) -> None:
    file = topic / "claims.toml"
    text = file.read_text()
    text = text.replace('"latency.mean"', '"latency.maen"', 1)
    text = text.replace("title =", 'titel = "Shop"\ntitle =', 1)
    text += """
[[claims]]
says = "it is so"
baseline = "nobody"
candidate = "redis"
metric = "latency.p50"
expect = "swifter"
"""
    file.write_text(text)
    with pytest.raises(InputError) as raised:
        loader.load([str(topic)], {}, "assay run", topic)
    said = str(raised.value)
    for words in ("'title'?", "'latency.mean'?", "no variant 'nobody'", "swifter"):
        assert words in said
    assert all(f"{file}:" in line for line in said.splitlines())


def test_a_topic_that_does_not_exist(topic: Path) -> None:
    with pytest.raises(InputError, match="no topic 'cahcing'.*did you mean 'caching'"):
        load(topic.parent.parent, "cahcing")
    with pytest.raises(InputError, match="no topics in"):
        load(topic.parent)
    with pytest.raises(InputError, match="no topic 'ttt"):
        load(topic.parent.parent, "t" * 300)


@pytest.mark.parametrize("where", ["perf", "perf/caching", "load_tests/caching"])
def test_every_topic_of_a_project_has_a_name(
    where: str, topic: Path, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    (project / where).parent.mkdir(parents=True)
    shutil.copytree(topic, project / where)
    for name in ((), (Path(where).name,)):
        (only,) = load(project, *name).topics
        assert only.file == project / where / "claims.toml"


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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[tool.assay]\nlooks = []",
            ":2: tool.assay.looks: list should have at least 1",
        ),
        ("[tool.assay]\nlooks = [0, 12]", "looks[1]: input should be greater than or"),
        ("[tool.assay]\nlooks = [-6, 12]", "looks[1]: input should be greater than or"),
        ("[tool.assay]\nlooks = [12, 201]", "looks[2]: input should be less than or"),
        ("[tool.assay]\nlooks = [12, 12]", "looks: expected ascending numbers"),
        ("[tool.assay]\ntime_budget = inf", "should be a finite number, got inf"),
        ("[tool.assay]\ntime_budget = nan", "should be a finite number, got nan"),
        ("tool = 3", ":1: tool: expected a table, got 3"),
        ("tool = 'assay'", ":1: tool: expected a table, got 'assay'"),
        ("[tool]\nassay = 3", ":2: tool.assay: input should be"),
    ],
)
def test_a_mistake_in_the_projects_settings(topic: Path, text: str, said: str) -> None:
    file = topic.parent.parent / "pyproject.toml"
    file.write_text(text)
    with pytest.raises(InputError) as caught:
        load(topic.parent.parent, "caching")
    assert said in str(caught.value) and str(file) in str(caught.value)


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
    assert loader.load_preset("cpu", here).title == "Mine"
    preset.write_text('title = "Mine"\nprofiler = "py-spi"\nseconds = 1')
    with pytest.raises(InputError, match="no profiler 'py-spi'; did you mean 'py-spy'"):
        loader.load_preset("cpu", here)
    preset.write_text('title = "Mine"\nprofiler = "py-spy"\nsecond = 1')
    with pytest.raises(InputError, match="second: unknown key; did you mean 'seconds'"):
        loader.load_preset("cpu", here)


def test_a_plan_that_only_profiles(topic: Path) -> None:
    here = topic.parent.parent
    plan = loader.profile_plan(load(here, "caching"), "redis", ["cpu"], here)
    assert [preset.name for preset in plan.presets] == ["cpu"]
    assert plan.topics[0].claims == ()
    with pytest.raises(InputError, match="no variant 'rediss'; did you mean 'redis'"):
        loader.profile_plan(load(here, "caching"), "rediss", ["cpu"], here)


def test_only_what_assay_starts_can_be_profiled(topic: Path) -> None:
    here = topic.parent.parent
    text = CLAIMS.replace("command = ", 'url = "http://shop" # ')
    (topic / "claims.toml").write_text(text.replace('["cpu", "memory"]', "[]"))
    with pytest.raises(InputError, match="'redis' is a server that runs already"):
        loader.profile_plan(load(here, "caching"), "redis", ["cpu"], here)


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read every file")
def test_a_file_that_cannot_be_read(topic: Path) -> None:
    (topic / "claims.toml").chmod(0)
    with pytest.raises(InputError, match="cannot be read"):
        load(topic.parent.parent, "caching")


@given(st.text(max_size=200))
def test_no_text_breaks_the_line_finder(text: str) -> None:
    for line in toml_file.key_lines(text).values():
        assert 1 <= line <= len(text.splitlines())


def test_a_topic_may_need_another_budget(topic: Path, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.assay]\ntime_budget = 50\n")
    plan = load(tmp_path)
    assert plan.time_budget(plan.topics[0]) == 50
    claims = topic / "claims.toml"
    claims.write_text(CLAIMS.replace("[variants]", "time_budget = 480\n\n[variants]"))
    plan = load(tmp_path)
    assert plan.time_budget(plan.topics[0]) == 480
    # An option of the command line overrides every file.
    plan = load(tmp_path, time_budget=7)
    assert plan.time_budget(plan.topics[0]) == 7


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"margin": 5}, "measure: margin: input should be less than 1, got 5"),
        ({"margin": float("nan")}, "measure: margin: "),
        ({"time_budget": 0}, "measure: time_budget: "),
        ({"confidence": 0.1}, "measure: confidence: "),
        ({"looks": (20, 15)}, "measure: looks: expected ascending numbers"),
        ({"looks": (0, 15)}, "measure: looks: "),
        ({"looks": ()}, "measure: looks: "),
        ({"seed": "x"}, "measure: seed: "),
        ({"margn": 0.1}, "measure: margn: unknown key; did you mean 'margin'?"),
        ({"gates": []}, "measure: gates: unknown key"),
    ],
)
def test_settings_of_a_script_are_checked(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as refused:
        loader.check_settings(settings)
    assert said in str(refused.value)


def test_all_wrong_settings_of_a_script_are_said_at_once() -> None:
    with pytest.raises(InputError, match="(?s)margin.*time_budget"):
        loader.check_settings({"margin": 2, "time_budget": -1})
    fine = {"seed": 3, "looks": (6,), "profile": None, "margin": 0.1}
    assert loader.check_settings(fine) == {**fine, "looks": [6]}
