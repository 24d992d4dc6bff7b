"""The case studies' locustfile runs under plain Locust, on both kinds of shop."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from target_app.core import features
from target_app.core.config import Settings
from tests.integration.target_app.serving import served

SCENARIOS = Path(__file__).parents[3] / "scenarios"
READING = {"/api/v1/items", "/api/v1/items/{id}", "/api/v1/orders"}
# Users choose tasks at random, and on a slow machine one run has few tasks.
RUNS = 5
pytestmark = pytest.mark.usefixtures("forgotten")


@pytest.mark.parametrize("way", ["legacy", "optimised"])
@pytest.mark.parametrize(
    ("words", "names"),
    [
        ((), READING | {"/api/v1/users/me"}),
        (("--patience", "30", "--tags", "reading"), READING),
    ],
)
def test_people_get_what_they_ask_for(
    way: str, words: tuple[str, ...], names: set[str], store: Settings
) -> None:
    chosen = store.model_copy(update={"features": way, "mail_seconds": 0.0})
    # People buy something now and then, unless they only read.
    methods = {"GET"} if words else {"GET", "POST"}
    asked: set[str] = set()
    used: set[str] = set()
    with served(chosen) as url:
        for _ in range(RUNS):
            for entry in plain_locust(url, words):
                assert not entry["num_failures"], entry
                asked.add(entry["name"])
                used.add(entry["method"])
            if (asked, used) == (names, methods):
                break
    assert (asked, used) == (names, methods)


def plain_locust(url: str, words: tuple[str, ...]) -> list[dict[str, Any]]:
    """Load the shop with four users for four seconds; return Locust's rows."""
    ended = subprocess.run(
        [
            *(sys.executable, "-m", "locust", "-H", url, "-t", "4s", "-u", "4"),
            *("-r", "4", "--headless", "--only-summary", "--json"),
            *("-f", str(SCENARIOS / "case_study" / "locustfile.py"), *words),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    entries: list[dict[str, Any]] = json.loads(ended.stdout)
    return entries


@pytest.mark.parametrize("topic", ["case_study", "peak_traffic"])
def test_the_ladder_is_made_of_steps_that_there_are(topic: str) -> None:
    written = tomllib.loads((SCENARIOS / topic / "claims.toml").read_text())
    rungs = [v["env"]["FEATURES"] for v in written["variants"].values()]
    for rung in rungs:
        features.parse_features(rung)
    if topic == "case_study":
        # Each has one more feature, up to those of the guide's case study.
        assert rungs == list(features.ladder())[: len(rungs)]
