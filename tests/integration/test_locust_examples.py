"""Locustfiles like the examples of Locust's own repository, under Locust and Assay.

Each file of `locust_examples/` runs twice against servers that answer in the same way:
under `locust --headless`, and under `assay load` in the same closed loop. Both must
have the same rows, failures and numbers of requests, within chance. If that is
impossible, Assay refuses the file by name. `docs/locustfiles.md` has the list.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.integration.shop import ASSAY

FILES = Path(__file__).parent / "locust_examples"
LOCUST = [sys.executable, "-m", "locust"]
AT_ONCE = 3  # cases that run side by side: nearly all of their time is waiting
TRIES = 5  # counts differ if another process takes the machine for a second
LONGEST = 50.0  # seconds; a test that ends by itself needs much less
CHANCE = 1e-6  # the probability that equal shares are called different

Rows = dict[tuple[str, str], tuple[int, int]]


@dataclass(frozen=True)
class Case:
    """One locustfile, and how it is run.

    Attributes:
        file: The name of the file, without `.py`.
        users: The number of users; 0 if the file's own shape sets it.
        seconds: The length of the test; 0 if the file's own shape sets it.
        exact: Names of rows whose counts do not depend on the speed of the machine;
            "*" for all rows.
        mix: Whether the file chooses tasks at random, so that shares are compared.
        counted: Whether counts are compared; not if they depend on the moment at which
            the test ends.
        words: Arguments for the locustfile.
        says: Texts that the locustfile prints.
    """

    file: str
    users: int = 6
    seconds: int = 2
    exact: tuple[str, ...] = ()
    mix: bool = False
    counted: bool = True
    words: tuple[str, ...] = ()
    says: tuple[str, ...] = ()


CASES = [
    Case("basic", users=10, mix=True),
    Case("quickstart", mix=True, exact=("/login",)),
    Case("fast", users=10, mix=True),
    Case(
        "arguments",
        words=("--greeting", "ahoy", "--place", "there"),
        says=("greeting: ahoy",),
    ),
    Case("journey"),
    Case("browsing", mix=True),
    Case("nested", mix=True),
    Case("markov", users=10, seconds=3, mix=True),
    Case("sign_in"),
    Case("waiting", users=8),
    Case("messages", users=4, says=("taken: 4",)),
    Case("stages", users=0, seconds=0),
    Case("staged_classes", users=0, seconds=0),
    Case("steps", users=0, seconds=0),
    Case("double_wave", users=0, seconds=0, says=("asked: 5",)),
    Case("patient_shape", users=0, seconds=0),
    Case("dispatched", users=0, seconds=0),
    Case("debugging"),
    Case("debugging_two", users=4, seconds=6, exact=("*",)),
    Case("credentials", users=3, exact=("/login",)),
    Case("from_csv"),
    Case(
        "listeners",
        mix=True,
        says=(
            "bytes: True",
            "contexts: [('/bytes/10', 'small', 'Visitor'), "
            "('/bytes/2000', 'large', 'Visitor')]",
        ),
    ),
    Case("by_hand", mix=True),
    Case("two_hosts", mix=True),
    Case("pacing", users=9, seconds=3),
    Case("in_parallel", users=4),
    Case("validations", users=4),
    Case("rest", users=4),
    Case("together", says=("users: 6",)),
    Case("threshold", users=3, seconds=60, counted=False, says=("too many failures",)),
    Case("stages_of_testing", users=2, exact=("/echo", "bye")),
    Case("parts", users=4),
    Case("forwarded"),
    Case("functions", users=4),
    Case("web_pages", mix=True, says=("caches: True True",)),
    Case("web_login"),
    Case("calls", mix=True),
    Case("with_library", users=4),
    Case("as_library", users=4),
    Case("turns", users=5, seconds=6, exact=("*",)),
    Case("fixed", users=9),
    Case("slow_turns", users=4, seconds=6, exact=("*",)),
]


@dataclass
class Half:
    """The outcome of a locustfile under Locust or under Assay.

    Attributes:
        code: The exit code.
        rows: Requests and failures by method and name.
        text: All output.
        told: The lines that the file has written into `order.txt`.
        forwarded: Addresses that the server received in headers.
    """

    code: int
    rows: Rows
    text: str
    told: list[str] = field(default_factory=list)
    forwarded: set[str] = field(default_factory=set)


@dataclass
class Pair:
    """The outcomes under Locust and under Assay, as soon as they exist."""

    locust: "Future[Half]"
    assay: "Future[Half]"


@pytest.fixture(scope="module")
def ports() -> Iterator[Iterator[int]]:
    """Start the server; yield an iterator over its ports."""
    server = subprocess.Popen(
        [sys.executable, str(FILES / "server.py"), str(2 * TRIES * len(CASES) + 2)],
        stdout=subprocess.PIPE,
        text=True,
    )
    _step_forward(server.pid)
    try:
        assert server.stdout is not None
        yield iter(json.loads(server.stdout.readline()))
    finally:
        server.terminate()
        server.communicate(timeout=20)


@pytest.fixture(scope="module")
def pairs(
    request: pytest.FixtureRequest,
    ports: Iterator[int],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, Pair]]:
    """Start all cases that are selected, a few at a time; yield their pairs."""
    wanted = [
        case
        for case in CASES
        if any(item.name.endswith(f"[{case.file}]") for item in request.session.items)
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        begun = {}
        for case in wanted:
            folder = tmp_path_factory.mktemp(case.file)
            begun[case.file] = Pair(
                pool.submit(under_locust, case, folder / "locust", next(ports)),
                pool.submit(under_assay, case, folder / "assay", next(ports)),
            )
        yield begun
        pool.shutdown(cancel_futures=True)


def under_locust(case: Case, folder: Path, port: int) -> Half:
    """Run the file under plain Locust."""
    words = ["--headless", "--json-file", "rows", "--exit-code-on-error", "0"]
    if case.users:
        words += ["-u", str(case.users), "-r", str(case.users)]
    if case.seconds:
        words += ["-t", f"{case.seconds}s"]
    file = str(FILES / f"{case.file}.py")
    done = _run([*LOCUST, "-f", file, *words, *case.words], folder, port)
    rows: Rows = {}
    if (folder / "rows.json").exists():
        for row in json.loads((folder / "rows.json").read_text()):
            counts = row["num_requests"], row["num_failures"]
            rows[row["method"] or "", row["name"]] = counts
    return _half(done, rows, done.stdout + done.stderr, folder, port)


def under_assay(case: Case, folder: Path, port: int) -> Half:
    """Run the file under Assay, as docs/locustfiles.md says."""
    words = ["--output", "out", "--think-time"]
    if case.users:
        words += ["--users", str(case.users), "--spawn-rate", str(case.users)]
    if case.seconds:
        words += ["--duration", f"{case.seconds}s"]
    own = ["--", *case.words] if case.words else []
    file = str(FILES / f"{case.file}.py")
    done = _run([*ASSAY, "load", file, *words, *own], folder, port)
    rows: Rows = {}
    if (folder / "out" / "results.json").exists():
        rows = rows_of(json.loads((folder / "out" / "results.json").read_text()))
    log = folder / "out" / "locust.log"
    text = done.stdout + done.stderr + (log.read_text() if log.exists() else "")
    return _half(done, rows, text, folder, port)


def rows_of(found: dict[str, list[dict[str, object]]]) -> Rows:
    """Return requests and failures of a load test, as Locust would count them.

    In Assay, requests of `on_start` and `on_stop` have separate rows.
    """
    every: Counter[tuple[str, str]] = Counter()
    failed: Counter[tuple[str, str]] = Counter()
    for row in found["rows"]:
        name = str(row.get("method", "")), str(row["name"])
        if row["kind"] in ("request", "start", "stop") and name[1]:
            if name != ("", "(unserved)"):
                every[name] += int(str(row["requests"]))
                failed[name] += int(str(row["failed"]))
    return {name: (every[name], failed[name]) for name in every}


def _run(
    command: list[str], folder: Path, port: int
) -> "subprocess.CompletedProcess[str]":
    """Run Locust or Assay to its end."""
    folder.mkdir()
    (folder / "secret.txt").write_text("secret")
    host = f"http://127.0.0.1:{port}"
    at = command.index("--") if "--" in command else len(command)
    with subprocess.Popen(
        [*command[:at], "--host", host, *command[at:]],
        cwd=folder,
        env={**os.environ, "OTHER_HOST": host, "COLUMNS": "100"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        if "locust" in command:
            _step_forward(process.pid)
        try:
            out, errors = process.communicate(timeout=LONGEST)
        except subprocess.TimeoutExpired:
            process.terminate()
            out, errors = process.communicate()
    return subprocess.CompletedProcess(command, process.returncode, out, errors)


def _step_forward(pid: int) -> None:
    """Give a process real-time priority, as Assay does with its generator."""
    with contextlib.suppress(OSError):
        policy = os.SCHED_RR | os.SCHED_RESET_ON_FORK
        os.sched_setscheduler(pid, policy, os.sched_param(1))


def _half(
    done: "subprocess.CompletedProcess[str]",
    rows: Rows,
    text: str,
    folder: Path,
    port: int,
) -> Half:
    import urllib.request

    with urllib.request.urlopen(f"http://127.0.0.1:{port}/counted") as answer:
        forwarded = set(json.load(answer)["forwarded"])
    order = folder / "order.txt"
    told = order.read_text().splitlines() if order.exists() else []
    return Half(done.returncode, rows, text, told, forwarded)


def near(a: int, b: int) -> bool:
    """Say whether two counts are equal within what a busy machine changes."""
    return abs(a - b) <= 0.25 * max(a, b) + 10


def alike(a: list[int], b: list[int]) -> float:
    """Return how probable it is that two mixtures differ so much by chance.

    What a user does depends on what it did before, so its choices are not independent.
    To allow for that, the test counts only half of them.
    """
    from scipy import stats

    table = [[left / 2 for left in a], [right / 2 for right in b]]
    return float(stats.chi2_contingency(table, correction=False).pvalue)


def compare(case: Case, locust: Rows, assay: Rows) -> None:
    """Check that both have the same rows, failing rows and shares.

    Raises:
        AssertionError: They are not the same.
    """
    assert set(assay) == set(locust)
    for name, (ours, failed) in assay.items():
        theirs, they_failed = locust[name]
        some = (failed > 0, 0 < failed < ours)
        assert some == (they_failed > 0, 0 < they_failed < theirs), name
        if some[1]:
            split = [ours - failed, failed], [theirs - they_failed, they_failed]
            assert alike(*split) > CHANCE, name
        if case.exact == ("*",) or name[1] in case.exact:
            assert (ours, failed) == (theirs, they_failed), name
    names = sorted(name for name in assay if name[1] not in case.exact)
    if case.mix:
        here, there = ([rows[n][0] for n in names] for rows in (assay, locust))
        assert alike(here, there) > CHANCE, (names, here, there)


def paced(case: Case, locust: list[Rows], assay: list[Rows]) -> None:
    """Check that both sent about as many requests; of a mixture, only the total counts.

    Counts differ if another process takes the machine for a second. Then both run
    again. It is enough if one run under Assay is near one run under Locust.

    Raises:
        AssertionError: No two runs are near each other.
    """
    if case.exact == ("*",) or not case.counted:
        return
    names = [] if case.mix else [n for n in assay[-1] if n[1] not in case.exact]
    for name in names or [("", "")]:
        here, there = (
            [sum(rows[n][0] for n in rows if name in (n, ("", ""))) for rows in runs]
            for runs in (assay, locust)
        )
        assert any(near(a, b) for a in here for b in there), (name, here, there)


def check(case: Case, locust: Half, assay: Half) -> None:
    """Check that both outcomes are the same.

    Raises:
        AssertionError: They are not the same.
    """
    assert locust.code == 0 and locust.rows, locust.text
    assert assay.code == 0, assay.text
    compare(case, locust.rows, assay.rows)
    for half in (locust, assay):
        for line in case.says:
            assert line in half.text, half.text
    assert assay.told == locust.told
    assert assay.forwarded == locust.forwarded


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.file)
def test_rows_are_those_of_locust(
    case: Case, pairs: dict[str, Pair], ports: Iterator[int], tmp_path: Path
) -> None:
    pair = pairs[case.file]
    runs: tuple[list[Rows], list[Rows]] = ([], [])
    for again in range(TRIES):
        if again:
            folders = tmp_path / f"locust{again}", tmp_path / f"assay{again}"
            with ThreadPoolExecutor(2) as pool:
                pair = Pair(
                    pool.submit(under_locust, case, folders[0], next(ports)),
                    pool.submit(under_assay, case, folders[1], next(ports)),
                )
        locust, assay = pair.locust.result(), pair.assay.result()
        try:
            check(case, locust, assay)
            runs[0].append(locust.rows)
            runs[1].append(assay.rows)
            return paced(case, *runs)
        except AssertionError:
            if again == TRIES - 1:
                raise


def test_a_file_that_needs_the_web_interface_is_refused(
    tmp_path: Path, ports: Iterator[int]
) -> None:
    case = Case("own_target")
    assert under_locust(case, tmp_path / "locust", next(ports)).code == 1
    refused = under_assay(case, tmp_path / "assay", next(ports))
    assert refused.code == 2 and not refused.rows
    assert "its init listener serve raised AssertionError" in refused.text
    assert "this needs the web interface" in refused.text
    assert "Traceback" not in refused.text
