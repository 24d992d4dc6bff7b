"""Real runs of `assay run` and `assay report` on a small service."""

import json
import re
import signal
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from assay.inputs import loader
from assay.system import environment
from tests.integration import shop
from tests.repeated import repeated


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One whole run, with profiles."""
    runs: list[Path] = []

    @repeated
    def measure() -> None:
        runs.append(measured(tmp_path_factory.mktemp("shop")))

    measure()
    return runs[-1]


def measured(folder: Path) -> Path:
    """Measure the claims of the shop, all of which hold.

    The arrival rate is low, so that few requests overlap. Otherwise, on a busy machine,
    the blocked event loop would be a larger cause than the CPU time.
    """
    claims = shop.CLAIMS.replace("utilisation = 0.4", "utilisation = 0.2")
    budget = '[[budgets]]\nvariant = "less"\nmetric = "errors"\nat_most = "1%"\n'
    project = shop.PROJECT.replace("time_budget = 200", "time_budget = 400")
    shop.write(
        folder,
        claims=claims + budget,
        pyproject=project.replace("profile = false", ""),
    )
    profiles = folder / "profiles"
    profiles.mkdir()
    # Hashing releases the GIL, so few samples hold it; a high rate takes more samples.
    (profiles / "cpu.toml").write_text(
        'title = "CPU"\nprofiler = "py-spy"\nseconds = 3\n[settings]\nrate = 1000\n'
    )
    (profiles / "memory.toml").write_text(
        'title = "Memory"\nprofiler = "memory-profiler"\nseconds = 3\n'
    )
    done = shop.assay(folder, "run", ".", "--seed", "5", "--output", "out")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].endswith("out")
    assert "holds" in done.stdout
    assert shop.left_behind(folder) == []
    return folder / "out"


def test_the_run_directory_holds_everything(run: Path) -> None:
    results = shop.results(run)
    assert results["schema"] == 1
    assert results["seed"] == 5
    assert results["partial"] is False
    assert results["claims"][0]["verdict"] == "holds"
    assert results["budgets"][0]["value"] == 0.0
    assert 0.05 < results["comparisons"][0]["ratio"] < 0.5
    for name in ("index.html", "summary.md", "junit.xml", "environment.json"):
        assert (run / name).stat().st_size > 0
    profiles = {file.name.partition(".")[2] for file in (run / "profiles").iterdir()}
    assert profiles == {
        f"more.less.{variant}.memory.json" for variant in ("less", "more")
    }
    cause = results["causes"][0]
    assert cause["kind"] in ("cpu", "calls") and "burn" in cause["where"]
    assert cause["amount"] < 0 and cause["low"] < cause["amount"] < cause["high"]
    exports = {file.name.partition(".")[2] for file in (run / "exports").iterdir()}
    assert "more.less.less.speedscope.json" in exports


def test_no_arrival_is_lost(run: Path) -> None:
    slices = pd.read_parquet(run / "slices.parquet")
    accounted = slices["done"] + slices["dropped"] + slices["unserved"]
    assert (slices["planned"] == accounted).all()
    assert set(slices["mode"]) == {"closed", "open"}
    sizes = slices.groupby(["launch", "mode", "block"]).size()
    variants = slices.groupby("launch")["variant"].nunique()
    assert (sizes == variants.loc[sizes.index.get_level_values("launch")].values).all()


def test_samples_are_exact_times_in_order(run: Path) -> None:
    files = sorted((run / "samples").glob("*.parquet"))
    samples = pd.concat([pd.read_parquet(file) for file in files])
    assert (samples["start"] >= samples["scheduled"] - 1e-6).all()
    assert (samples["end"] > samples["start"]).all()
    assert set(samples["name"]) == {"GET /"}
    open_loop = samples[samples["mode"] == "open"]
    assert (open_loop["scheduled"] < open_loop["start"]).mean() > 0.9


def test_both_variants_get_the_same_arrivals_in_a_block(run: Path) -> None:
    slices = pd.read_parquet(run / "slices.parquet")
    planned = slices[slices["mode"] == "open"].pivot_table(
        index=["launch", "block"], columns="variant", values="planned"
    )
    assert (planned["more"] == planned["less"]).all()


def test_the_profile_finds_the_function_that_works(run: Path) -> None:
    html = (run / "index.html").read_text()
    assert "burn (app.py)" in html


def test_work_that_releases_the_gil_is_found_all_the_same(run: Path) -> None:
    """The shop hashes, so most of its CPU time is spent without the GIL."""
    burning = total = 0.0
    for file in (run / "rounds").glob("*.load.*.more.json"):
        for stack, seconds in json.loads(file.read_text())["stacks"]:
            total += seconds
            burning += seconds if stack[-1].startswith("burn (app.py:") else 0.0
    assert burning > 0.5 * total
    html = (run / "index.html").read_text()
    assert "burn (app.py" in html[html.index("Where CPU time goes") :]


def test_the_code_around_a_cause_is_shown(run: Path) -> None:
    html = (run / "index.html").read_text()
    assert '<span class="here">' in html and "hashlib.sha256(data * 20)" in html


def test_a_target_that_takes_no_probe_has_its_verdict_and_its_profiles(
    tmp_path: Path,
) -> None:
    claims = shop.CLAIMS.replace("python -m", "python -E -m")
    project = shop.PROJECT.replace("profile = false", "")
    folder = shop.write(tmp_path / "shop", claims=claims, pyproject=project)
    done = shop.assay(folder, "run", ".", "--launches", "6", "--output", "out")
    assert done.returncode in (0, 3), done.stdout + done.stderr
    results = shop.results(folder / "out")
    (warning,) = [
        text
        for text in results["warnings"]
        if "causes of the difference are incomplete" in text
    ]
    assert "the probe does not answer" in warning and "-E" in warning
    assert list((folder / "out" / "profiles").glob("*.more.cpu.json"))
    assert results["causes"] == [] and shop.left_behind(folder) == []


def test_a_command_is_profiled_without_a_claims_file(tmp_path: Path) -> None:
    folder = shop.write(tmp_path / "shop")
    (folder / "claims.toml").unlink()
    words = ["--locustfile", "locustfile.py", "--profiles", "memory", "--output", "out"]
    command = ["python", "-m", "uvicorn", "app:app", "--port", "{port}"]
    done = shop.assay(folder, "profile", *words, "--", *command, "--lifespan", "off")
    assert done.returncode == 0, done.stdout + done.stderr
    assert list((folder / "out" / "profiles").glob("*.command.memory.json"))
    wrong = shop.assay(folder, "profile", "--", *command)
    assert wrong.returncode == 2 and "--locustfile FILE -- COMMAND" in wrong.stderr
    words = [*words, "--ready", "health", "--", "env", "API_TOKEN=hunter2"]
    wrong = shop.assay(folder, "profile", *words, *command)
    assert wrong.returncode == 2 and "such as /health" in wrong.stderr


def test_the_command_that_is_profiled_shows_no_secret(tmp_path: Path) -> None:
    words = ["env", "API_TOKEN=hunter2", "python", "-m", "app"]
    plan = loader.command_plan(words, tmp_path / "load.py", "/", "assay", tmp_path)
    stored = environment.redacted(plan).model_dump_json()
    assert "hunter2" not in stored and "API_TOKEN=***" in stored


def test_a_report_is_rebuilt_from_the_directory_alone(run: Path) -> None:
    before = shop.results(run)
    (run / "index.html").unlink()
    done = shop.assay(run.parent.parent, "report", str(run), "--json")
    assert done.returncode == 0, done.stderr
    assert shop.results(run) == before
    assert (run / "index.html").is_file()


def test_the_samples_can_be_left_out(run: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    shutil.rmtree(copy / "samples")
    done = shop.assay(tmp_path, "report", str(copy))
    assert done.returncode == 0, done.stderr


def test_ctrl_c_keeps_what_was_measured(tmp_path: Path) -> None:
    folder = shop.write(tmp_path / "shop")
    process = shop.start(folder, "run", ".", "--output", "out")
    wait_for(folder / "out" / "launches.parquet")
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 4, output
    assert "Traceback" not in output
    assert shop.left_behind(folder) == []
    assert shop.results(folder / "out")["partial"] is True
    assert "partial" in (folder / "out" / "index.html").read_text()


@pytest.mark.parametrize("seconds", [0.3, 0.6, 1.2, 2.0])
def test_ctrl_c_at_any_moment_leaves_nothing_behind(
    tmp_path: Path, seconds: float
) -> None:
    folder = shop.write(tmp_path / "shop")
    process = shop.start(folder, "run", ".", "--output", "out")
    wait_for_handler(process.pid)
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "Traceback" not in output
    assert shop.left_behind(folder) == []


def test_a_killed_assay_leaves_no_server_and_a_partial_report(tmp_path: Path) -> None:
    folder = shop.write(tmp_path / "shop")
    process = shop.start(folder, "run", ".", "--output", "out")
    wait_for(folder / "out" / "launches.parquet")
    process.kill()
    process.wait()
    deadline = time.monotonic() + 30
    while (left := shop.left_behind(folder)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert left == []
    done = shop.assay(folder, "report", "out")
    assert done.returncode == 0, done.stderr
    assert shop.results(folder / "out")["partial"] is True
    assert (folder / "out" / "index.html").is_file()


def wait_for_handler(pid: int) -> None:
    """Wait until Assay has replaced Python's own handling of Ctrl-C.

    Python's own handler prints a traceback. At first Assay lets Ctrl-C end the process
    silently; once it has been imported, it handles both Ctrl-C and SIGTERM.
    """
    if sys.platform != "linux":
        return
    by_python, deadline = False, time.monotonic() + 60
    while time.monotonic() < deadline:
        status = Path(f"/proc/{pid}/status").read_text()
        (mask,) = re.findall(r"^SigCgt:\s*(\w+)", status, re.MULTILINE)
        interrupt, terminate = (
            int(mask, 16) >> (number - 1) & 1
            for number in (signal.SIGINT, signal.SIGTERM)
        )
        if terminate or (by_python and not interrupt):
            return
        by_python = by_python or bool(interrupt)
        time.sleep(0.001)
    raise AssertionError("Assay never handled Ctrl-C")


def wait_for(path: Path) -> None:
    """Wait until a file is there."""
    deadline = time.monotonic() + 90
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} never came"
        time.sleep(0.05)


@repeated
def test_a_slow_locustfile_gets_as_many_arrivals_as_it_can_send(tmp_path: Path) -> None:
    # The locustfile works for 1 ms on each answer, so many random arrivals would have
    # to wait for the generator.
    slow = (
        f"import time\n{shop.LOCUSTFILE}"
        "        until = time.thread_time() + 0.001\n"
        "        while time.thread_time() < until:\n"
        "            pass\n"
    )
    claims = shop.CLAIMS.replace("utilisation = 0.4", "utilisation = 0.8")
    folder = shop.write(tmp_path, locustfile=slow, claims=claims)
    done = shop.assay(folder, "run", ".", "--launches", "1", "--output", "out")
    assert done.returncode in (0, 3), done.stdout + done.stderr
    warnings = "\n".join(shop.results(folder / "out")["warnings"])
    rates = re.search(
        r"cannot keep up with ([\d.]+) arrivals a second .* "
        r"the rate is ([\d.]+) instead\. LeanHttpUser",
        warnings,
    )
    assert rates, warnings
    requested, lowered = float(rates[1]), float(rates[2])
    assert lowered < requested
    slices = pd.read_parquet(folder / "out" / "slices.parquet")
    sent = slices.loc[slices["mode"] == "open", "rate"]
    assert sent.round().unique() == [round(lowered)]
