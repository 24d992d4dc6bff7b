"""The options of `assay load` become a plan, or are refused with what to type."""

from pathlib import Path
from typing import Any

import pytest

from assay.cli import load_request
from assay.cli.load_request import LoadRequest
from assay.errors import InputError
from assay.inputs import locust_conf
from assay.load_plan import LoadPlan
from assay.load_tests.run import planned as planned_in_words


def planned(folder: Path, **options: Any) -> LoadPlan:
    """Return the plan of some options for a locustfile that exists."""
    file = folder / "locustfile.py"
    file.write_text("")
    return load_request.make_plan(LoadRequest(str(file), seed=1, **options), None)


@pytest.mark.parametrize(
    ("text", "users"),
    [(None, None), ("20", 20), ("60000", 60_000), ("0..5 in 2m", "0..5 in 2m")],
)
def test_users_are_a_number_or_stages(text: str | None, users: int | str) -> None:
    assert load_request.parse_users(text) == users


@pytest.mark.parametrize("text", ["0", "60001", "-1", "many", "5.5", "", "1e3", "²"])
def test_other_users_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="from 1 to 60000, or stages such as"):
        load_request.parse_users(text)


def test_stages_of_users_are_a_plan(tmp_path: Path) -> None:
    plan = planned(tmp_path, users="0..50 in 2m, 50 for 5m, 50..0 in 1m")
    assert plan.user_times == (0, 120, 120, 420, 420, 480)
    assert plan.user_counts == (0, 50, 50, 50, 50, 0)
    assert (plan.users, plan.duration, plan.open) == (50, 480, False)
    assert plan.shape == "0..50 in 2m, 50 for 5m, 50..0 in 1m"


def test_stages_of_rates_are_a_plan(tmp_path: Path) -> None:
    plan = planned(tmp_path, rate="0..300/min in 2m", users=7)
    assert (plan.times, plan.rates) == ((0, 120), (0, 5))
    assert (plan.users, plan.duration, plan.user_times) == (7, 120, ())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rate": "5"}, "with --rate or --find-capacity, --users is the maximum"),
        ({"find_capacity": True}, "with --rate or --find-capacity"),
        ({"spawn_rate": 2.0}, "leave out --spawn-rate"),
        ({"duration": "9m"}, "lasts 120 s, and --duration says 540 s"),
        ({"users": "0..60001 in 2m"}, "expected at most 60000 users"),
        ({"users": "0 for 2m"}, "at least 1 in some stage"),
        ({"users": "0..5.5 in 2m"}, "'5.5' is not a number of users"),
        ({"users": "0..5/s in 2m"}, "'5/s' is not a number of users"),
    ],
)
def test_stages_of_users_that_contradict_other_options(
    tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        planned(tmp_path, **{"users": "0..50 in 2m", **options})


@pytest.mark.parametrize(
    ("options", "duration"),
    [
        ({"users": "0..50 in 2m"}, 120),
        ({"rate": "5 for 2m"}, 120),
        ({"rate": "steps 1,2 each 30s"}, 60),
        ({"rate": "rates.csv"}, 40),
        ({"rate": "steps 1,2"}, 600),
        ({"rate": "5"}, 600),
        ({"users": 20}, 600),
    ],
)
def test_locust_conf_does_not_contradict_a_shape_with_its_own_length(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, Any],
    duration: float,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "locust.conf").write_text("run-time = 10m\n")
    (tmp_path / "rates.csv").write_text("seconds,rate\n0,5\n40,5\n")
    (tmp_path / "f.py").write_text("")
    request = load_request.with_locust_conf(
        LoadRequest("f.py", seed=1, **options), locust_conf.read(tmp_path, tmp_path)
    )
    assert load_request.make_plan(request, None).duration == duration


def test_a_title_and_tags_are_a_plan(tmp_path: Path) -> None:
    tags = ("branch=main", " query = a=b ")
    plan = planned(tmp_path, rate="5", title=" Before\nrelease ", tag=tags)
    assert plan.title == "Before release"
    assert plan.tags == {"branch": "main", "query": "a=b"}


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        (("branch",), "--tag 'branch': expected NAME=VALUE, such as branch=main"),
        (("=main",), "expected NAME=VALUE"),
        (("branch= ",), "expected NAME=VALUE"),
        (("a=1", "a=2"), "there is a tag 'a' already"),
    ],
)
def test_a_malformed_tag_is_refused(
    tmp_path: Path, tags: tuple[str, ...], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        planned(tmp_path, rate="5", tag=tags)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rate": "50", "duration": "2m"}, "about 6,000 arrivals in 120 s"),
        ({"rate": "0..50 in 2m, 50 for 1m"}, "about 6,000 arrivals in 180 s"),
        ({"users": 20, "duration": "30s"}, "20 users for 30 s"),
        ({"users": 1, "duration": "30s"}, "1 user for 30 s"),
        ({"users": "0..50 in 30s"}, "up to 50 users for 30 s"),
        ({"users": 2, "iterations": 5000}, "5,000 tasks, at most"),
        ({}, "as many users as the LoadTestShape says"),
    ],
)
def test_what_a_test_will_do_is_said_before(
    tmp_path: Path, options: dict[str, Any], words: str
) -> None:
    said = planned_in_words(planned(tmp_path, host="http://127.0.0.1:8000", **options))
    assert said.startswith("loading http://127.0.0.1:8000: ") and words in said
    assert "host of the user classes" in planned_in_words(planned(tmp_path, **options))
