"""Two commits of a real repository: benchmarks, a service, and what can go wrong."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.shop import ASSAY, FEWER_PLUGINS
from tests.repeated import repeated

BENCHMARKS = """
import pytest

from prices import price_of, tax_of


@pytest.mark.parametrize("item", [3, 5])
def test_price(benchmark, item):
    benchmark(price_of, item)


def test_tax(benchmark):
    benchmark(tax_of, 7)


def test_no_benchmark():
    assert tax_of(1) >= 0
"""
PRICES = """
def price_of(item):
    return sum(item * step % 7 for step in range(300))


def tax_of(item):
    return sum(item * step % 3 for step in range(300))
"""
# One look after twelve launches is enough for seven tests, and quick.
SETTINGS = "[tool.assay]\nlooks = [12]\n"
APP = """
from prices import price_of


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    body = b"ok"
    if scope["path"] == "/price":
        body = b"%d" % sum(price_of(item) for item in range(10))
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
"""
CLAIMS = """
title = "Prices"

[target]
command = "python -m uvicorn app:app --port {port} --no-access-log --lifespan off"
cwd = ".."

[scenario]
locustfile = "locustfile.py"
"""
LOCUSTFILE = """
from locust import FastHttpUser, task


class Customer(FastHttpUser):
    @task
    def price(self):
        self.client.get("/price")
"""

type Change = Callable[[Path], None]


def git(folder: Path, *arguments: str) -> str:
    author = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    command = ["git", *author, *arguments]
    done = subprocess.run(
        command, cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout


def commit(folder: Path, message: str, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", message)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return project_in(tmp_path)


def project_in(place: Path) -> Path:
    """Make a repository with one commit; it is no package and has no lock file."""
    folder = place / "a project"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    commit(
        folder,
        "Prices",
        {
            "pyproject.toml": SETTINGS,
            "prices.py": PRICES,
            "conftest.py": "",
            "tests/test_prices.py": BENCHMARKS,
            ".gitignore": "reports/\n__pycache__/\n",
        },
    )
    git(folder, "checkout", "-q", "-b", "branch")
    return folder


def compare(
    folder: Path, *arguments: str, timeout: float = 900
) -> subprocess.CompletedProcess[str]:
    # A project without a file of dependencies runs in the active environment.
    environment = {
        **os.environ,
        "VIRTUAL_ENV": sys.prefix,
        "ASSAY_CACHE": str(folder.parent / "cache"),
        "PYTEST_ADDOPTS": FEWER_PLUGINS,
    }
    return subprocess.run(
        [*ASSAY, "compare", "--seed", "1", "--output", "reports/run", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def results_of(folder: Path) -> Any:
    return json.loads((folder / "reports/run/results.json").read_text())


def state_of(folder: Path) -> tuple[str, ...]:
    """Return the state of everything that a comparison must not change."""
    questions = (
        ("status", "--porcelain"),
        ("for-each-ref",),
        ("worktree", "list"),
        ("stash", "list"),
        ("diff", "HEAD"),
        ("count-objects",),
    )
    return tuple(git(folder, *question) for question in questions)


def test_each_benchmark_is_judged_by_itself_and_slower_twice(project: Path) -> None:
    """Uncommitted changes are measured, and the working tree stays as it is."""
    prices = PRICES.replace("item * step % 7", "(item * step % 7 if step else 0) + 0")
    (project / "prices.py").write_text(prices.replace("range(300)", "range(450)", 1))
    added = BENCHMARKS + "\n\ndef test_new(benchmark):\n    benchmark(abs, 1)\n"
    (project / "tests/test_more.py").write_text(added.replace("test_price", "test_2"))
    before = state_of(project)
    ran = compare(project, "--budget", "4m")
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert state_of(project) == before
    results = results_of(project)
    verdicts = {item["test"]: item["verdict"] for item in results["comparisons"]}
    slower = {test for test, verdict in verdicts.items() if verdict == "slower"}
    assert slower == {
        "tests/test_prices.py::test_price[3]",
        "tests/test_prices.py::test_price[5]",
        "tests/test_more.py::test_2[3]",
        "tests/test_more.py::test_2[5]",
    }
    # The ruler is HEAD's for both sides, so its new tests are measured on both.
    assert "tests/test_more.py::test_new" in verdicts
    (pair,) = results["pairs"]
    assert pair["verdict"] == "slower"
    assert all(
        re.match(r"measured again: [12]\.\d", item["reason"])
        for item in results["comparisons"]
        if item["verdict"] == "slower"
    )
    again = json.loads(
        (project / "reports/run/second-opinion/results.json").read_text()
    )
    assert {item["test"] for item in again["comparisons"]} == slower
    plan = json.loads((project / "reports/run/plan.json").read_text())
    assert plan["subject"]["head"]["name"] == "working tree"
    assert plan["subject"]["head"]["dirty"] is True
    page = (project / "reports/run/index.html").read_text()
    assert "The two commits" in page
    assert "working tree" in page


@repeated
def test_a_slower_service_is_named_with_the_changed_lines(tmp_path: Path) -> None:
    project = project_in(tmp_path)
    commit(
        project,
        "A service",
        {"app.py": APP, "perf/claims.toml": CLAIMS, "perf/locustfile.py": LOCUSTFILE},
    )
    comment = "# Prices are sums.\n# This moves every line.\n\n"
    commit(
        project,
        "Sum over more steps",
        {"prices.py": comment + PRICES.replace("range(300)", "range(450)", 1)},
    )
    ran = compare(project, "HEAD~1", "HEAD", "--topic", "perf")
    assert ran.returncode == 1, ran.stdout + ran.stderr
    results = results_of(project)
    assert results["pairs"][0]["verdict"] == "slower"
    assert "measured again: slower" in results["pairs"][0]["reason"]
    assert results["causes"], ran.stderr
    first = results["causes"][0]
    assert "prices.py" in first["where"] and first["changed"], first
    assert any("range(450)" in line for line in first["hunk"])
    page = (project / "reports/run/index.html").read_text()
    assert "changed here" in page


@repeated
def test_one_slower_request_of_seven_is_named(tmp_path: Path) -> None:
    project = project_in(tmp_path)
    locustfile = LOCUSTFILE + "".join(f"""
    @task
    def tax_{number}(self):
        self.client.get("/tax/{number}")
""" for number in range(6))
    app = APP.replace(
        "    headers =",
        """    elif scope["path"].startswith("/tax/"):
        body = b"%d" % sum(tax_of(item) for item in range(10))
    headers =""",
    ).replace("import price_of", "import price_of, tax_of")
    commit(
        project,
        "A service",
        {"app.py": app, "perf/claims.toml": CLAIMS, "perf/locustfile.py": locustfile},
    )
    commit(
        project,
        "Sum over an eighth more steps",
        {"prices.py": PRICES.replace("range(300)", "range(338)", 1)},
    )
    ran = compare(project, "HEAD~1", "HEAD", "--topic", "perf")
    assert ran.returncode == 1, ran.stdout + ran.stderr
    results = results_of(project)
    requests = {
        item["test"]: item["verdict"] for item in results["comparisons"] if item["test"]
    }
    assert len(requests) == 7
    assert [name for name, word in requests.items() if word == "slower"] == [
        "GET /price"
    ]
    assert results["pairs"][0]["reason"].startswith("GET /price (")
    assert "measured again" in results["pairs"][0]["reason"]
    # The load as a whole hides the cause, so only this request was profiled.
    assert results["ledgers"][0]["request"] == "GET /price"
    first = results["causes"][0]
    assert "prices.py" in first["where"] and first["changed"], results["causes"]
    page = (project / "reports/run/index.html").read_text()
    assert "Requests one by one" in page
    assert "<code>GET /price</code> was sent while this was profiled" in page
    summary = (project / "reports/run/summary.md").read_text()
    assert "GET /price" in summary
    junit = (project / "reports/run/junit.xml").read_text()
    assert "GET /price" in junit


def test_a_side_that_runs_the_users_own_files_is_refused(project: Path) -> None:
    path = f"import sys\n\nsys.path.insert(0, {str(project)!r})\n"
    commit(project, "A path", {"conftest.py": path})
    ran = compare(project, "--budget", "1m")
    assert ran.returncode == 4, ran.stdout + ran.stderr
    assert f"{project / 'prices.py'}, which does not belong" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_no_benchmark_in_common_is_never_green(project: Path) -> None:
    broken = "from nothing import nowhere\n" + BENCHMARKS
    commit(project, "Broken", {"tests/test_prices.py": broken})
    ran = compare(project, "--benchmarks", "tests")
    assert ran.returncode == 4, ran.stdout + ran.stderr
    assert "the sides have no benchmark in common" in ran.stderr
    assert "No module named 'nothing'" in ran.stderr


def test_a_file_that_cannot_be_imported_costs_only_itself(project: Path) -> None:
    commit(project, "Broken", {"tests/test_broken.py": "import nowhere\n"})
    ran = compare(project, "--benchmarks", "tests", "--budget", "1m")
    assert ran.returncode == 3, ran.stdout + ran.stderr
    results = results_of(project)
    assert len(results["comparisons"]) == 3
    assert all(item["launches"] for item in results["comparisons"])
    (left_out,) = results["left_out"]
    assert (left_out["test"], left_out["kind"]) == ("tests/test_broken.py", "failed")
    assert "No module named 'nowhere'" in left_out["reason"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere"], "'nowhere': no such commit, branch or tag"),
        (["mian"], "did you mean 'main'?"),
        (["--only", "latency.p5"], "--only: no metric 'latency.p5'"),
        (["--benchmarks", "no/such"], "--benchmarks: no/such: no such file or folder"),
        (["--topic", "perv"], "--topic: no topic 'perv' at HEAD"),
        (["--url", "http://127.0.0.1:1"], "--url: expected two"),
        (["--budget", "soon"], "--budget: 'soon' is not a duration"),
        (["--budget", "1s"], "--budget: 1s: expected at least 10s"),
    ],
)
def test_bad_input(project: Path, arguments: list[str], said: str) -> None:
    commit(project, "Something", {"other.py": ""})
    ran = compare(project, *arguments)
    assert ran.returncode == 2, ran.stdout + ran.stderr
    assert said in ran.stderr
    assert "Traceback" not in ran.stderr


def test_nothing_to_measure_says_what_to_type(project: Path) -> None:
    (project / "tests/test_prices.py").unlink()
    commit(project, "Nothing", {"other.py": ""})
    ran = compare(project)
    assert ran.returncode == 2
    assert "assay compare --benchmarks PATH" in ran.stderr


def test_outside_a_repository(tmp_path: Path) -> None:
    folder = tmp_path / "no repository"
    folder.mkdir()
    ran = compare(folder)
    assert ran.returncode == 2
    assert "Traceback" not in ran.stderr
