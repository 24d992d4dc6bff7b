"""Thresholds and waivers as people write them."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import InputError
from assay.gating import Gating, Threshold, Waiver
from assay.inputs import gates, loader, waiving
from assay.plan import Plan

DAY = date(2027, 1, 31)
CLAIMS = """title = "T"
[target]
command = "serve {port}"
[scenario]
locustfile = "locustfile.py"
"""
GATE = """
[[tool.assay.gates]]
topic = "benchmarks"
test = "tests/test_io.py::*"
metric = "time"
at_most = "10%"
"""


def plan_in(folder: Path, project: str) -> Plan:
    (folder / "pyproject.toml").write_text(project)
    (folder / "perf").mkdir(exist_ok=True)
    (folder / "perf/claims.toml").write_text(CLAIMS)
    (folder / "perf/locustfile.py").write_text("")
    files = [folder / "perf/claims.toml"]
    return loader.load_for_sides(files, {}, "assay compare", folder)


def test_gates_are_read_beside_the_settings(tmp_path: Path) -> None:
    plan = plan_in(tmp_path, "[tool.assay]\nmargin = 0.1\n" + GATE)
    assert plan.settings.margin == 0.1
    assert plan.gating.thresholds == (
        Threshold(
            topic="benchmarks",
            test="tests/test_io.py::*",
            metric="time",
            at_most=0.1,
            where="pyproject.toml:4",
        ),
    )
    assert plan.gating.day == date.today()


def test_all_mistakes_are_said_at_once_with_their_lines(tmp_path: Path) -> None:
    wrong = (
        GATE
        + '[[tool.assay.gates]]\nmetric = "tim"\nat_most = "10"\n'
        + '[[tool.assay.gates]]\nat_mots = "10%"\n'
        + GATE
    )
    with pytest.raises(InputError) as error:
        plan_in(tmp_path, wrong)
    said = str(error.value)
    assert "pyproject.toml:8: tool.assay.gates[2].metric: no metric matches" in said
    assert "did you mean 'time'?" in said
    assert "expected a percentage such as '10%'" in said
    assert "unknown key; did you mean 'at_most'?" in said
    assert "the same patterns as in line 2" in said


def test_a_gate_about_no_topic_is_an_error() -> None:
    one = Threshold(topic="prf", at_most=0.1, where="pyproject.toml:3")
    with pytest.raises(InputError, match="pyproject.toml:3.*did you mean 'perf'"):
        gates.check_topics(Gating(thresholds=(one,)), ["perf"])
    suite = Threshold(topic="bench*", at_most=0.1)
    gates.check_topics(Gating(thresholds=(suite,)), [])


@pytest.mark.parametrize("folder", ["perf", "perf/io", "load_tests", "scenarios/io"])
def test_a_gate_may_be_about_a_topic_that_is_not_run(
    tmp_path: Path, folder: str
) -> None:
    name = Path(folder).name
    gate = f'[[tool.assay.gates]]\ntopic = "{name}"\nat_most = "10%"\n'
    (tmp_path / "pyproject.toml").write_text(gate)
    for topic in (folder, "other"):
        (tmp_path / topic).mkdir(parents=True)
        variants = "[variants]\na = {}\nb = {}\n"
        (tmp_path / topic / "claims.toml").write_text(CLAIMS + variants)
        (tmp_path / topic / "locustfile.py").write_text("")
    plan = loader.load(["other"], {}, "assay run", tmp_path)
    assert [one.topic for one in plan.gating.thresholds] == [name]


def waiver(
    test: str = "tests/a.py::test", reason: str = "so", **more: object
) -> Waiver:
    fields = {"test": test, "metric": "time", "ceiling": 1.25, "until": DAY}
    return Waiver.model_validate({**fields, "reason": reason, **more})


def read(folder: Path) -> list[Waiver]:
    messages: list[str] = []
    found = gates.read_waivers(folder, messages)
    assert not messages
    return [one.model_copy(update={"where": ""}) for one in found]


def test_a_waiver_is_written_where_it_is_read(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    file, replaced = waiving.write(waiver(), inside)
    assert file == tmp_path / "perf/waivers.toml" and not replaced
    assert read(inside) == read(tmp_path) == [waiver()]
    assert [item.name for item in (tmp_path / "perf").iterdir()] == ["waivers.toml"]


def test_a_waiver_is_renewed_in_place_and_comments_stay(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    for one in (waiver("a::b"), waiver("a::c"), waiver("", topic="perf")):
        waiving.write(one, tmp_path)
    file = tmp_path / "perf/waivers.toml"
    marked = file.read_text().replace(
        '[[waivers]]\ntest = "a::c"', '# why\n[[waivers]]\ntest = "a::c"'
    )
    file.write_text(marked)
    _, replaced = waiving.write(waiver("a::b", reason="again"), tmp_path)
    assert replaced
    found = {one.subject: one.reason for one in read(tmp_path)}
    assert found == {"a::b": "again", "a::c": "so", "perf": "so"}
    assert file.read_text().count("# why") == 1


@given(st.text(min_size=1), st.text(min_size=1))
def test_whatever_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, name: str, reason: str
) -> None:
    folder = tmp_path_factory.mktemp("project")
    (folder / "pyproject.toml").touch()
    try:
        one = waiving.waiver(f"a::{name}", "time", 1.5, reason, DAY, "", DAY)
    except InputError:
        return  # control characters, or no reason
    waiving.write(one, folder)
    assert read(folder) == [one]


@given(st.floats(1, 1e6, exclude_min=True))
def test_a_ceiling_keeps_all_its_digits(
    tmp_path_factory: pytest.TempPathFactory, ceiling: float
) -> None:
    folder = tmp_path_factory.mktemp("project")
    (folder / "pyproject.toml").touch()
    waiving.write(waiver(ceiling=ceiling), folder)
    assert [one.ceiling for one in read(folder)] == [ceiling]


ENTRY = """[[waivers]]
test = 'a::b'
metric = 'time'
ceiling = 2
reason = 'x'
until = 2027-01-01
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ENTRY.replace("test =", "#"), "1: waivers[1]: expected a test or a topic"),
        (ENTRY.replace("'time'", "'tim'"), "3: waivers[1].metric: no metric 'tim'"),
        (ENTRY.replace("2\n", "1\n"), "4: waivers[1].ceiling: input should be greater"),
        (ENTRY.replace("2027-01-01", "'soon'"), "6: waivers[1].until: "),
        (ENTRY * 2, "7: waivers[2]: the same is waived in line 1"),
        ("[[waiver]]", "unknown key; did you mean 'waivers'?"),
        ("[[waivers]", "not valid TOML"),
    ],
)
def test_a_mistake_in_the_file_is_said(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "perf").mkdir()
    (tmp_path / "perf/waivers.toml").write_text(text)
    messages: list[str] = []
    gates.read_waivers(tmp_path, messages)
    assert said in "\n".join(messages)
    with pytest.raises(InputError):
        waiving.write(waiver(), tmp_path)
    assert (tmp_path / "perf/waivers.toml").read_text() == text


def test_every_mistake_on_the_command_line_is_said_at_once() -> None:
    with pytest.raises(InputError) as error:
        waiving.waiver("perf", "tim", 0.9, " ", date(2020, 1, 1), "t", DAY)
    said = str(error.value)
    for word in ("METRIC", "--ceiling", "--reason", "--until", "TEST"):
        assert word in said


@pytest.mark.parametrize(
    ("what", "metric", "topic", "test"),
    [
        ("GET /plans", "request.p25", "", "GET /plans"),
        ("perf", "request.p25", "perf", ""),
        ("perf", "cpu_per_request", "perf", ""),
        ("a::b", "time", "", "a::b"),
    ],
)
def test_a_waiver_is_about_a_test_a_request_or_a_topic(
    what: str, metric: str, topic: str, test: str
) -> None:
    made = waiving.waiver(what, metric, 1.5, "why", DAY, "", DAY)
    assert (made.topic, made.test) == (topic, test)
