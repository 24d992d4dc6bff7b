"""Terminals that cannot show all characters, names that are not UTF-8, full disks."""

import json
import os
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.integration import shop
from tests.integration.loads import LOOK, fine
from tests.integration.scripted import Scripted, serving
from tests.integration.test_run import wait_for

QUICK = shop.PROJECT.replace("[6]", "[1]")
BYTES = os.fsdecode(b"caf\xe9")  # a folder name that is not UTF-8


@pytest.fixture
def server() -> Iterator[Scripted]:
    with serving(fine) as running:
        yield running


def load(
    folder: Path | str,
    server: Scripted,
    *words: str,
    limit: Callable[[], None] | None = None,
    env: Mapping[str, str] | None = None,
) -> "subprocess.CompletedProcess[bytes]":
    Path(folder, "locustfile.py").write_text(LOOK)
    return subprocess.run(
        [
            *(*shop.ASSAY, "load", "locustfile.py", "--host", server.url),
            *("--rate", "30", "--duration", "1s", "--users", "3", "--output", "out"),
            *words,
        ],
        cwd=folder,
        env={**(unmeasured() if limit else os.environ), **(env or {})},
        capture_output=True,
        timeout=100,
        preexec_fn=limit,
    )


def said(done: "subprocess.CompletedProcess[bytes]") -> str:
    text = (done.stdout + done.stderr).decode("utf-8", "replace")
    assert "Traceback" not in text and "cannot be reported" not in text, text
    return text


@pytest.mark.parametrize(
    "env",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=["ascii", "latin-1", "C"],
)
def test_output_that_cannot_show_a_character(
    tmp_path: Path, server: Scripted, env: dict[str, str]
) -> None:
    words = ("--require", "latency.p50 <= 20s", "--seed", "1")
    done = load(tmp_path, server, *words, env=env)
    assert done.returncode == 0 and "?" in said(done)
    assert done.stdout.decode("latin-1").splitlines()[-1] == "out"
    for command in (
        ["report", "out"],
        ["load", "--help"],
        ["doctor", "--seconds", "1"],
    ):
        other = subprocess.run(
            [*shop.ASSAY, *command],
            cwd=tmp_path,
            env={**os.environ, **env},
            capture_output=True,
        )
        assert other.returncode in (0, 3) or command[0] == "doctor", said(other)
        said(other)


def test_a_folder_whose_name_is_no_text(tmp_path: Path, server: Scripted) -> None:
    folder = tmp_path / BYTES
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system takes only UTF-8")
    done = load(folder, server, "--output", str(folder / BYTES))
    assert done.returncode == 0, said(done)
    # The last line names the directory, with the bytes that it has.
    assert done.stdout.splitlines()[-1] == os.fsencode(folder / BYTES)
    for words in (["report", BYTES], ["report", BYTES, "--json"], ["history", "."]):
        again = subprocess.run([*shop.ASSAY, *words], cwd=folder, capture_output=True)
        assert again.returncode in ((0,) if words[0] == "report" else (0, 2)), said(
            again
        )
        said(again)
    results = json.loads((folder / BYTES / "results.json").read_text("utf-8"))
    assert results["run"] == "caf\ufffd" and results["done"] > 10
    (folder / "shop").mkdir()
    shop.write(folder / "shop", pyproject=QUICK)
    ran = subprocess.run(
        [*shop.ASSAY, "run", ".", "--output", "out"],
        cwd=folder / "shop",
        capture_output=True,
    )
    assert ran.returncode in (0, 1, 3), said(ran)
    assert shop.results(folder / "shop" / "out")["comparisons"]


def unmeasured() -> dict[str, str]:
    """Return this environment without the variables that start coverage in a child.

    Under the size limit coverage could not write its own data, and would print errors.
    """
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("COVERAGE_", "COV_CORE_"))
    }


def limited(size: int) -> Callable[[], None]:
    """Return a function that lets no file of this process grow beyond a size."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.parametrize("size", [300, 2_000, 6_000, 20_000, 30_000])
def test_a_disk_that_is_full_during_a_load_test(
    tmp_path: Path, server: Scripted, size: int
) -> None:
    done = load(tmp_path, server, limit=limited(size))
    text = said(done)
    assert done.returncode in (2, 4) and "too large" in text, text
    out = tmp_path / "out"
    assert not out.exists() or not list(out.rglob("*.part"))
    if done.returncode == 4 and (out / "ticks.jsonl").exists():
        # There is room again, and the report has what was measured.
        report = shop.assay(tmp_path, "report", "out")
        assert report.returncode in (0, 4), report.stderr
        warnings = shop.results(out)["warnings"]
        assert shop.results(out)["done"] > 10 or warnings


@pytest.mark.parametrize("size", [600, 4_000, 12_000, 60_000])
def test_a_disk_that_is_full_during_a_run(tmp_path: Path, size: int) -> None:
    folder = shop.write(tmp_path / "shop", pyproject=QUICK)
    done = subprocess.run(
        [*shop.ASSAY, "run", ".", "--output", "out"],
        cwd=folder,
        capture_output=True,
        env=unmeasured(),
        timeout=300,
        preexec_fn=limited(size),
    )
    text = said(done)
    assert done.returncode in (2, 4) and "too large" in text, text
    assert not list((folder / "out").rglob("*.part"))
    if done.returncode == 4:
        again = shop.assay(folder, "report", "out")
        assert again.returncode == 0, again.stderr
    assert shop.left_behind(folder) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("words", [(), ("--json",)], ids=["tables", "json"])
def test_output_to_a_full_disk(
    tmp_path: Path, server: Scripted, words: tuple[str, ...]
) -> None:
    (tmp_path / "locustfile.py").write_text(LOOK)
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [
                *(*shop.ASSAY, "load", "locustfile.py", "--host", server.url, *words),
                *("--rate", "30", "--duration", "1s", "--output", "out"),
            ],
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
        )
    assert done.returncode == 4 and b"No space left" in done.stderr
    assert b"Traceback" not in done.stderr and b"Exception ignored" not in done.stderr
    assert shop.results(tmp_path / "out")["done"] > 10


@pytest.mark.parametrize(
    ("number", "name"),
    [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM"), (signal.SIGHUP, "SIGHUP")],
)
def test_what_stopped_a_run_is_named(
    tmp_path: Path, number: signal.Signals, name: str
) -> None:
    folder = shop.write(tmp_path / "shop")
    process = shop.start(folder, "run", ".", "--output", "out")
    wait_for(folder / "out" / "launches.parquet")
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 4 and f"Stopped by {name};" in output
    assert name == "Ctrl-C" or "Ctrl-C" not in output
    results = shop.results(folder / "out")
    assert f"{name} stopped the run before it was complete." in results["warnings"]


@pytest.mark.parametrize(
    ("number", "name"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")]
)
def test_what_stopped_a_load_test_is_in_its_results(
    tmp_path: Path, server: Scripted, number: signal.Signals, name: str
) -> None:
    (tmp_path / "locustfile.py").write_text(LOOK)
    words = ["load", "locustfile.py", "--host", server.url, "--rate", "20"]
    process = shop.start(tmp_path, *words, "--duration", "60s", "--output", "out")
    wait_for(tmp_path / "out" / "ticks.jsonl")
    process.send_signal(number)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 4, output
    (warning,) = [w for w in shop.results(tmp_path / "out")["warnings"] if name in w]
    assert warning.startswith(f"{name} stopped the test after")


def test_why_a_run_could_not_begin_is_in_its_results(tmp_path: Path) -> None:
    app = 'raise SystemExit("there is no fuel")'
    folder = shop.write(tmp_path / "shop", app=app, pyproject=QUICK)
    done = shop.assay(folder, "run", ".", "--output", "out")
    assert done.returncode == 4
    results = shop.results(folder / "out")
    assert results["partial"]
    (warning,) = [w for w in results["warnings"] if "no fuel" in w]
    assert warning.startswith("The run ended before it was complete: ")


def test_why_a_load_test_could_not_go_on_is_in_its_results(
    tmp_path: Path, server: Scripted
) -> None:
    text = LOOK.replace("self.client", "import os; os._exit(7)\n        self.client")
    (tmp_path / "locustfile.py").write_text(text)
    done = shop.assay(
        tmp_path,
        *("load", "locustfile.py", "--host", server.url, "--rate", "5"),
        *("--duration", "5s", "--output", "out"),
    )
    assert done.returncode == 4, done.stderr
    again = shop.assay(tmp_path, "report", "out")
    assert again.returncode in (0, 4), again.stderr
    (warning,) = [w for w in shop.results(tmp_path / "out")["warnings"] if "exit" in w]
    assert "The test ended before it was complete: " in warning and "code 7" in warning


def test_results_of_a_later_version_are_left_alone(
    tmp_path: Path, server: Scripted
) -> None:
    assert load(tmp_path, server).returncode == 0
    path = tmp_path / "out" / "results.json"
    fields: dict[str, Any] = json.loads(path.read_text())
    written = json.dumps({**fields, "schema": 99, "new": {"a": 1}})
    path.write_text(written)
    for words in (["report", "out"], ["report", "out", "--format", "html"]):
        done = shop.assay(tmp_path, *words)
        assert done.returncode == 2 and "later version of Assay" in done.stderr
    assert path.read_text() == written
