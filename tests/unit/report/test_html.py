import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from assay.experiment.run import judge
from assay.report import html
from assay.report.provenance import flatten, repeat_command
from assay.run_directory.run import RunDirectory
from tests.unit.report.synthetic import build
from tests.unit.synthetic import claim as claimed
from tests.unit.synthetic import plan

VOID = {"meta", "link", "br", "input", "img"}


class Reader(HTMLParser):
    """Checks nesting, and collects texts, scripts and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.scripts: list[str] = []
        self.texts: list[str] = []
        self.attributes: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag == "script":
            self.scripts.append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data
        elif self.open and self.open[-1] != "style":
            self.texts.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    return build(tmp_path_factory.mktemp("runs") / "normal")


@pytest.fixture(scope="module")
def page(run: RunDirectory) -> str:
    return html.render(run)


def test_the_answer_comes_before_everything_else(page: str) -> None:
    text = " ".join("".join(read(page).texts).split())

    order = [
        "4 of 9 claims hold, 4 are refuted and 1 is undecided",
        "Every claim",
        "Cache what is read often",
        "Warnings",
        "Cache what is read often",
        "Why",
        "How this was measured",
        "assay run caching sync_async blocking n_plus_one aiosqlite --seed 7",
        "Machine",
    ]
    place = 0
    for part in order:
        # A topic's title comes first above its rows of "Every claim", and later above
        # its own part.
        place = text.find(part, place)
        assert place >= 0, part


def test_every_claim_has_its_verdict_and_numbers(page: str, run: RunDirectory) -> None:
    text = " ".join("".join(read(page).texts).split())

    for claim in run.results().claims:
        assert claim.says in text
    assert text.count("✗ refuted") == 2 * 4
    assert "4.8× [4.4, 5.2]" in text
    assert "0.21× [0.19, 0.23]" in text


def test_the_page_says_why(page: str) -> None:
    assert re.search(
        r"less CPU per request; .* of it is in <code>lazyload</code>", page
    )
    assert "the baseline grows by" in page
    assert page.count('class="flame"') == 5


def test_the_page_names_the_looks_that_were_planned(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run", plan(claimed("<= 0.3")), {})
    run.write_results(judge(run))
    assert "looked at after 8, 15, 20, 27, 40, 60 launches" in html.render(run)


def test_claims_of_one_pair_share_its_pictures(page: str) -> None:
    assert page.count("<h4>Latency by percentile</h4>") == 5


def test_nothing_is_fetched_and_only_the_own_script_may_run(page: str) -> None:
    reader = read(page)
    policy = next(v for _, v in reader.attributes if v.startswith("default-src"))
    digest = hashlib.sha256(reader.scripts[0].encode()).digest()

    assert f"'sha256-{base64.b64encode(digest).decode()}'" in policy
    assert len(reader.scripts) == 1
    loading = [v for n, v in reader.attributes if n in ("src", "srcset", "data")]
    assert loading == []
    links = [v for n, v in reader.attributes if n.endswith("href")]
    assert all(link.startswith("#") or link == "data:," for link in links)
    assert not re.search(r"url\((?!#)|@import", page)


def test_ids_are_unique_and_links_lead_somewhere(page: str) -> None:
    attributes = read(page).attributes
    ids = [value for name, value in attributes if name == "id"]

    assert len(ids) == len(set(ids))
    targets = [v[1:] for n, v in attributes if n == "href" and v.startswith("#pair")]
    assert targets and set(targets) <= set(ids)


def test_hostile_text_is_only_ever_text(tmp_path: Path) -> None:
    page = html.render(build(tmp_path / "run", hostile=True, topics=["caching"]))

    reader = read(page)
    assert len(reader.scripts) == 1
    assert "alert(1)" not in reader.scripts[0]
    assert "<script>alert(1)</script>" in "".join(reader.texts)
    assert not set("\x1b\x00\u202e") & set(page)


def test_the_size_leaves_room_for_fourteen_pairs(page: str) -> None:
    assert len(page.encode()) / 5 < 3_000_000 / 14


def test_a_run_without_profiles_says_that_it_cannot_say_why(tmp_path: Path) -> None:
    page = html.render(
        build(tmp_path / "run", topics=["caching"], profiled=False, sampled=False)
    )

    assert "No profiles were taken, so this run cannot say why." in page
    assert "<h4>Launch by launch</h4>" in page
    assert "Latency by percentile" not in page


def test_any_environment_can_be_shown() -> None:
    rows = dict(
        flatten(
            {"a": {"b": [1, 2], "c": None}, "d": True, "e": 3.14159, "f": [], "g": {}}
        )
    )

    assert rows == {
        "a.b": "1, 2",
        "a.c": "unknown",
        "d": "yes",
        "e": "3.14",
        "f": "none",
    }


def test_the_command_repeats_the_seed_once(run: RunDirectory) -> None:
    plan, results = run.plan(), run.results()
    seeded = plan.model_copy(update={"command": "assay run caching --seed 7"})
    nameless = plan.model_copy(update={"command": ""})

    assert repeat_command(seeded, results) == "assay run caching --seed 7"
    assert repeat_command(nameless, results).startswith("assay run caching sync_async")
    assert repeat_command(nameless, results).endswith(" --seed 7")
