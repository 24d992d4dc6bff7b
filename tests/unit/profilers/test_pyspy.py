"""Reading py-spy's raw output, whatever the target put into it."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import InputError, MeasureError
from assay.plan import Preset
from assay.profilers import PROFILERS, Observed, pyspy, rawstacks
from assay.profilers.pyspy import MIN_SAMPLES
from assay.profilers.rawstacks import Raw, is_idle, parse, parse_located, short_path

SEEN = Observed(topic="caching", variant="redis", requests=50, cpu_seconds=2.0)


def preset(**settings: float | int | bool | str) -> Preset:
    return Preset(
        name="cpu", title="CPU", profiler="py-spy", seconds=8, settings=settings
    )


def test_identical_stacks_are_merged_whatever_their_lines() -> None:
    raw = parse(
        ["main (app.py:3);burn (app.py:7) 4", "main (app.py:3);burn (app.py:8) 5"]
    )
    assert raw == Raw(Counter({("main (app.py)", "burn (app.py)"): 9}), 0, 0)


@pytest.mark.parametrize(
    "prefix",
    [
        'process 12:"python -m uvicorn app:app";',
        'process 12:"python -c from multiprocessing.spawn import spawn_main; '
        'spawn_main(tracker_fd=5, pipe_handle=7)";',
        'process 12:"sh -c \\"a\\";b (c.py:1);";',
        'process 12:"a";process 13:"b";',
        "thread (140737353820544);",
        "",
    ],
)
def test_processes_and_threads_are_no_frames(prefix: str) -> None:
    raw = parse([f"{prefix}main (app.py:3);burn (app.py:7) 4"])
    assert list(raw.running) == [("main (app.py)", "burn (app.py)")]


@pytest.mark.parametrize(
    "line", ['process 12:"python -m uvicorn app:app" 3', 'process 12:"a; b (c.py)" 3']
)
def test_a_process_without_frames_is_unread(line: str) -> None:
    assert parse([line]) == Raw(Counter(), 0, 3)


@pytest.mark.parametrize("line", ["", "  "])
def test_an_empty_line_is_nothing(line: str) -> None:
    assert parse([line]) == Raw(Counter(), 0, 0)


@pytest.mark.parametrize("line", ["main (app.py:3)", "main (app.py:3) ²", "x -1"])
def test_a_damaged_line_is_an_unread_sample(line: str) -> None:
    assert parse([line]) == Raw(Counter(), 0, 1)


@pytest.mark.parametrize(
    ("frame", "idle"),
    [
        ("Condition.wait (threading.py:355)", True),
        ("wait (threading.py:320)", True),
        ("_worker (concurrent/futures/thread.py:89)", True),
        ("EpollSelector.select (selectors.py:468)", True),
        ("KqueueSelector.select (selectors.py:566)", True),
        ("Runner.run (asyncio/runners.py:118)", True),
        ("BaseSelectorEventLoop._write_to_self (asyncio/selector_events.py:152)", True),
        ("Connection.wait (psycopg/connection.py:484)", True),
        ("SocketIO.readinto (socket.py:720)", True),
        ("Condition.notify (threading.py:1)", False),
        ("wait (shop/orders.py:9)", False),
        ("select (shop/selectors_of_mine.py:9)", False),
        ("select (myselectors.py:9)", False),
        ("WorkerThread.run (anyio/_backends/_asyncio.py:1141)", False),
    ],
)
def test_only_the_leaf_says_that_a_thread_waits(frame: str, idle: bool) -> None:
    below = parse([f"main (app.py:1);{frame} 5"])
    assert (below.idle, below.running.total()) == ((5, 0) if idle else (0, 5))
    above = parse([f"main (app.py:1);{frame};burn (app.py:1) 5"])
    assert above.running.total() == 5


def test_a_thread_that_sleeps_in_the_users_code_waits(tmp_path: Path) -> None:
    file = tmp_path / "app.py"
    file.write_text("def f():\n    time.sleep(1)\n    asleep()\n")
    lines = [f"main ({file}:9);f ({file}:{line}) 5" for line in (2, 3)]
    located = parse_located(lines, lambda path: Path(path).name, drop_idle=True)
    assert located == {("main (app.py:9)", "f (app.py:3)"): 5}
    assert parse_located(lines, lambda path: path).total() == 10
    odd = [
        f"f ({tmp_path}/a\0b.py:3) 5",
        f"f ({tmp_path}/none.py:0) 5",
        "f (x:9999999) 5",
    ]
    assert parse_located(odd, lambda path: "x.py", drop_idle=True).total() == 15


def test_idle_stacks_can_be_kept() -> None:
    line = "main (app.py:1);Condition.wait (threading.py:355) 5"
    assert parse([line], drop_idle=False).running.total() == 5


@pytest.mark.parametrize(
    ("file", "short"),
    [
        ("app.py", "app.py"),
        ("fastapi/routing.py", "fastapi/routing.py"),
        (
            "/opt/env/lib/python3.12/site-packages/fastapi/routing.py",
            "fastapi/routing.py",
        ),
        ("/usr/lib/python3/dist-packages/six.py", "six.py"),
        ("/opt/python/lib/python3.12/json/decoder.py", "json/decoder.py"),
        ("/srv/shop/orders/views.py", "orders/views.py"),
        ("/main.py", "main.py"),
        ("<frozen importlib._bootstrap>", "<frozen importlib._bootstrap>"),
        ("<string>", "<string>"),
    ],
)
def test_paths_lose_what_is_the_machine_s(file: str, short: str) -> None:
    assert short_path(file) == short


NAMES = st.text(
    st.characters(exclude_characters=";()\n\r", exclude_categories=["Cs"]), min_size=1
).filter(lambda text: text == text.strip() and text != "/")
FRAMES = st.builds("{} ({}.py:{})".format, NAMES, NAMES, st.integers(1, 9999)).filter(
    lambda frame: not frame.startswith(("process ", "thread "))
)
STACKS = st.lists(
    st.tuples(st.lists(FRAMES, min_size=1, max_size=6), st.integers(1, 9)), max_size=8
)


@given(STACKS)
def test_no_sample_is_lost_or_made_up(stacks: list[tuple[list[str], int]]) -> None:
    raw = parse(f"{';'.join(frames)} {count}" for frames, count in stacks)
    assert raw.unread == 0
    assert raw.running.total() + raw.idle == sum(count for _, count in stacks)
    lengths = {len(frames) for frames, _ in stacks}
    assert {len(stack) for stack in raw.running} <= lengths
    assert not any(is_idle(stack) for stack in raw.running)


@given(st.text())
def test_no_text_breaks_the_parser(text: str) -> None:
    raw = parse(text.split("\n"))
    assert all(stack for stack in raw.running)
    assert all("(/" not in frame for stack in raw.running for frame in stack)


@given(
    st.dictionaries(
        st.tuples(NAMES, NAMES), st.integers(1, 500), min_size=1, max_size=9
    ),
    st.floats(1e-3, 1e3),
    st.integers(1, 10**6),
)
def test_the_total_is_the_cpu_time_per_request(
    counts: dict[tuple[str, ...], int], cpu: float, requests: int
) -> None:
    counts[("enough (app.py)",)] = MIN_SAMPLES
    seen = SEEN.model_copy(update={"cpu_seconds": cpu, "requests": requests})
    profile = pyspy.to_stacks(Raw(Counter(counts), 7, 0), seen, preset())
    assert profile.total == pytest.approx(cpu / requests)
    assert sum(value for _, value in profile.stacks) == pytest.approx(profile.total)
    assert profile.samples == sum(counts.values())
    assert profile.unit == "s"


def test_too_few_samples_are_refused_with_advice() -> None:
    raw = Raw(Counter({("a (b.py)",): MIN_SAMPLES - 1}), 500, 0)
    with pytest.raises(MeasureError, match="only 9 samples .* raise `seconds`"):
        pyspy.to_stacks(raw, SEEN, preset())


@pytest.mark.parametrize(
    ("gil", "cpu", "advised"),
    [(True, 2.0, True), (True, 0.09, False), (False, 2.0, False)],
)
def test_where_the_gil_is_why_it_is_said(gil: bool, cpu: float, advised: bool) -> None:
    raw = Raw(Counter({("a (b.py)",): MIN_SAMPLES - 1}), 0, 0)
    seen = SEEN.model_copy(update={"cpu_seconds": cpu})
    with pytest.raises(MeasureError) as error:
        pyspy.to_stacks(raw, seen, preset(gil=gil, rate=100))
    assert ("`gil = false`" in str(error.value)) == advised


@pytest.mark.parametrize(("held", "closer"), [(98, True), (102, False)])
def test_what_is_mostly_outside_the_gil_is_looked_at_again(
    held: int, closer: bool
) -> None:
    # Two seconds of CPU time at 100 samples a second are 200: just under and over half.
    own = preset(rate=100)
    half, whole = (
        pyspy.to_stacks(Raw(Counter({("a (b.py)",): n}), 0, 0), SEEN, own)
        for n in (held, 200)
    )
    again = pyspy.PySpy().follow_up_preset(own, [whole, half])
    assert bool(again) == closer
    if again:
        assert again.name == f"{own.name}-all-threads"
        assert again.settings == {"rate": 100, "gil": False}
        assert pyspy.PySpy().follow_up_preset(again, [half]) is None


def test_a_profile_without_requests_is_refused() -> None:
    raw = Raw(Counter({("a (b.py)",): MIN_SAMPLES}), 0, 0)
    seen = SEEN.model_copy(update={"requests": 0})
    with pytest.raises(MeasureError, match="no request was served"):
        pyspy.to_stacks(raw, seen, preset())


def test_what_no_sample_accounts_for_is_outside_the_gil() -> None:
    # About half of the two seconds of CPU time have samples; the rest has none.
    raw = Raw(Counter({("a (b.py)",): 90}), 0, 4)
    raw.running["c (d.py)",] = 10
    profile = pyspy.to_stacks(raw, SEEN, preset(rate=104), errors=4)
    *held, (stack, value) = profile.stacks
    assert stack == (pyspy.OUTSIDE,)
    assert value * SEEN.requests == pytest.approx(2 - 108 / 104)
    assert held[0][1] == pytest.approx(9 * held[1][1])
    assert any("no sample of code that holds the GIL" in x for x in profile.notes)


def test_more_samples_than_cpu_time_leave_nothing_outside() -> None:
    raw = Raw(Counter({("a (b.py)",): 900}), 0, 0)
    ((stack, value),) = pyspy.to_stacks(raw, SEEN, preset(rate=100)).stacks
    assert stack == ("a (b.py)",)
    assert value == pytest.approx(2.0 / 50)


def test_the_notes_say_what_was_left_out() -> None:
    raw = Raw(Counter({("a (b.py)",): 100}), 80, 10)
    profile = pyspy.to_stacks(raw, SEEN, preset(gil=False), errors=10)
    first, threads, second = profile.notes
    assert "100 samples" in first and "80 samples of waiting threads" in first
    assert threads.startswith("All threads were sampled")
    assert second.startswith("10.0 % of the samples could not be read")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"rates": 100}, "settings.rates: py-spy has no such setting.*'rate'"),
        (
            {"colour": 1},
            "settings.colour: .*known: rate, gil, nonblocking, subprocesses",
        ),
        ({"rate": "fast"}, "settings.rate: expected a whole number, .* not 'fast'"),
        ({"rate": True}, "settings.rate: expected a whole number"),
        ({"rate": 0}, "settings.rate: expected 1 to 1000, not 0"),
        ({"rate": 5000}, "settings.rate: expected 1 to 1000"),
        ({"nonblocking": 1}, "settings.nonblocking: expected true or false"),
    ],
)
def test_a_bad_setting_is_named(settings: dict[str, int | str], says: str) -> None:
    with pytest.raises(InputError, match=f"profiles/cpu.toml: {says}"):
        PROFILERS["py-spy"].check(preset(**settings))


def test_py_spy_that_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/nowhere/bin/python")
    pyspy.attach_problem.cache_clear()
    try:
        assert "python -m pip install py-spy" in pyspy.attach_problem()
    finally:
        pyspy.attach_problem.cache_clear()


FRAME = st.sampled_from([f"f{n} (a.py)" for n in range(6)])


def test_a_stack_without_its_beginning_gets_the_usual_one() -> None:
    whole = ("run (a.py)", "app (b.py)", "load (c.py)")
    other = ("run (a.py)", "else (b.py)", "load (c.py)")
    thread = ("_bootstrap (threading.py)", "work (d.py)")
    running = Counter({whole: 50, other: 5, thread: 30, ("load (c.py)", "x (e.py)"): 2})
    assert rawstacks.mended(running) == Counter(
        {whole: 50, other: 5, thread: 30, (*whole, "x (e.py)"): 2}
    )


@given(
    st.dictionaries(
        st.lists(FRAME, min_size=1, max_size=5).map(tuple),
        st.integers(1, 99),
        max_size=9,
    )
)
def test_mending_loses_no_sample(stacks: dict[tuple[str, ...], int]) -> None:
    running = Counter(stacks)
    whole = rawstacks.mended(running)
    assert whole.total() == running.total()
    assert Counter(stack[-1] for stack in whole.elements()) == Counter(
        stack[-1] for stack in running.elements()
    )
