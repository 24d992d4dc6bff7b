"""Causes from rounds of profiling: the right kind and place, or no cause."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.analysis.attribution import sentences
from assay.analysis.attribution.calls import call_counts
from assay.analysis.attribution.causes import causes
from assay.analysis.attribution.ledger import FUTURE, ledger, parts_of
from assay.analysis.attribution.rounds import Pair, difference, pair_of
from assay.observations import Amount, Event, Observation, Place, Round
from assay.results import Cause

type Stack = tuple[tuple[str, ...], float]
type Side = tuple[float, list[Observation], list[Stack]]

NAMES = ("base", "head")
ROUNDS = 8
LATENCY = 0.010  # seconds
CPU = 0.002
HANDLER = Place(function="handler", file="app/main.py", line=10)
LOAD = Place(function="load", file="app/sales.py", line=31)
HOLDER = Place(function="settle", file="app/pay.py", line=7)


def observed(
    kind: str,
    seconds: float,
    count: float = 1.0,
    place: Place | None = HANDLER,
    holder: Place | None = None,
    resource: str = "",
) -> Observation:
    return Observation(
        event=Event(kind=kind, resource=resource, place=place, holder=holder),
        amount=Amount(count=count, seconds=seconds, longest=3 * seconds),
    )


def rounds(
    *sides: Side,
    noise: float = 0.02,
    seed: int = 1,
) -> list[Round]:
    """Return rounds of sides, each given by added latency, observations and stacks."""
    dice = random.Random(seed)
    made = []
    for number in range(1, ROUNDS + 1):
        for name, (added, observations, stacks) in zip(NAMES, sides, strict=True):
            factor = 1 + dice.gauss(0, noise)
            made.append(
                Round(
                    topic="t",
                    baseline="base",
                    candidate="head",
                    number=number,
                    variant=name,
                    requests=500,
                    latency=(LATENCY + added) * factor,
                    cpu=(CPU + sum(seconds for _, seconds in stacks)) * factor,
                    cpu_wait=0.0001 * abs(1 + dice.gauss(0, 0.5)),
                    observations=tuple(scaled(one, factor) for one in observations),
                    stacks=tuple(
                        (stack, seconds * factor) for stack, seconds in stacks
                    ),
                )
            )
    return made


def scaled(one: Observation, factor: float) -> Observation:
    seconds = one.amount.seconds * factor
    return one.model_copy(
        update={"amount": one.amount.model_copy(update={"seconds": seconds})}
    )


def found(made: list[Round]) -> list[Cause]:
    return causes("t", NAMES, pair_of(made, "t", NAMES))


def test_a_wait_names_waiter_and_holder_and_its_share() -> None:
    wait = observed("connection pool", 0.004, 1, HANDLER, HOLDER, "SQLAlchemy")
    (cause,) = found(rounds((0, [], []), (0.004, [wait], [])))
    assert (cause.kind, cause.where) == ("connection pool", str(HANDLER))
    assert cause.holder == str(HOLDER) and str(HOLDER) in cause.sentence
    assert cause.low < 0.004 < cause.high and cause.amount == pytest.approx(
        0.004, rel=0.1
    )
    assert cause.share == pytest.approx(1, abs=0.2)


def test_more_queries_are_counted() -> None:
    sides: list[Side] = [
        (0.0, [observed("query", 0.0005, 2, LOAD, resource="select ?")], []),
        (0.003, [observed("query", 0.0035, 16, LOAD, resource="select ?")], []),
    ]
    (cause,) = found(rounds(*sides))
    assert cause.kind == "queries" and cause.where == str(LOAD)
    assert "16 times instead of twice" in cause.sentence


def test_slower_queries_are_not_called_more() -> None:
    sides: list[Side] = [
        (0.0, [observed("query", 0.0005, 2, LOAD, resource="select ?")], []),
        (0.003, [observed("query", 0.0035, 2, LOAD, resource="select ?")], []),
    ]
    (cause,) = found(rounds(*sides))
    assert cause.kind == "queries" and "takes 1.75 ms instead of" in cause.sentence


def test_cpu_time_around_more_queries_belongs_to_them() -> None:
    stacks: list[Stack] = [(("run (uvicorn/main.py)", "load (app/sales.py:32)"), 0.001)]
    sides: list[Side] = [
        (0.0, [observed("query", 0.0001, 1, LOAD)], []),
        (0.002, [observed("query", 0.0011, 60, LOAD)], stacks),
    ]
    (cause,) = found(rounds(*sides))
    assert cause.kind == "queries" and cause.amount == pytest.approx(0.002, rel=0.1)


def test_cpu_time_is_found_in_the_library_function_and_its_caller() -> None:
    loop = ("run (uvicorn/main.py)", "_run (asyncio/events.py)")
    common: Stack = (
        (*loop, "app (starlette/routing.py)", "handler (app/main.py:10)"),
        0.001,
    )
    encode: Stack = (
        (
            *(*loop, "app (starlette/routing.py)", "handler (app/main.py:12)"),
            "encode (app/out.py:31)",
            "jsonable_encoder (fastapi/encoders.py)",
        ),
        0.003,
    )
    (cause,) = found(rounds((0, [], [common]), (0.003, [], [common, encode])))
    assert cause.kind == "cpu" and cause.where == "encode (app/out.py:31)"
    assert "jsonable_encoder (fastapi/encoders.py), called by encode" in cause.sentence


def test_cpu_time_of_libraries_alone_is_never_the_event_loops() -> None:
    loop = ("run (uvicorn/main.py)", "_run (asyncio/events.py)")
    middleware: Stack = ((*loop, "__call__ (starlette/middleware/base.py)"), 0.002)
    (cause,) = found(rounds((0, [], []), (0.002, [], [middleware])))
    assert cause.where == "__call__ (starlette/middleware/base.py)"


def test_cpu_time_of_many_functions_of_a_file_is_found_there() -> None:
    """py-spy finds only the ends of most stacks, and no function is in most stacks."""
    stacks: list[Stack] = [
        (
            (
                "_run_code (<frozen runpy>)",
                f"step_{n} (starlette/middleware/base.py)",
                f"leaf_{n} (anyio/x.py)",
            ),
            0.0005,
        )
        for n in range(6)
    ]
    (cause,) = found(rounds((0, [], []), (0.003, [], stacks)))
    assert cause.where == "several functions (starlette/middleware/base.py)"
    assert "several functions (starlette/middleware/base.py)" in cause.sentence


def test_own_code_in_many_functions_is_no_library() -> None:
    stacks: list[Stack] = [
        ((f"step_{n} (app/views.py:3{n})",), 0.0005) for n in range(6)
    ]
    stacks.append((("outside the GIL (system calls and C code)",), 0.003))
    (cause,) = found(rounds((0, [], []), (0.006, [], stacks)))
    assert cause.kind == "cpu" and cause.where == ""


def test_blocked_loop_counts_what_others_wait() -> None:
    sides: list[Side] = [
        (0.0, [], []),
        (
            0.008,
            [
                observed("blocked loop", 0.005, 1, LOAD),
                observed("loop behind block", 0.003, 2, LOAD),
            ],
            [],
        ),
    ]
    (cause,) = found(rounds(*sides))
    assert cause.kind == "blocked event loop" and cause.where == str(LOAD)
    assert cause.amount == pytest.approx(0.008, rel=0.1)
    # A single block took 5 ms, and the longest three times as long.
    assert "for everybody, for 5.0" in cause.sentence
    assert cause.sentence.endswith(" ms each time, at most 15.0 ms.")


@given(st.integers(0, 10_000))
def test_identical_sides_have_hardly_ever_a_cause(seed: int) -> None:
    same: Side = (
        0.0,
        [
            observed("query", 0.0005, 2, LOAD, resource="select ?"),
            observed("lock", 0.001, 0.5, HANDLER, HOLDER),
            observed("thread pool", 0.0002, 1, HANDLER),
        ],
        [(("handler (app/main.py:10)",), 0.001)],
    )
    made = rounds(same, same, noise=0.05, seed=seed)
    # A cause that is found by chance must be a small part of the latency.
    assert all(abs(cause.amount) < 0.1 * LATENCY for cause in found(made))


def test_identical_sides_are_silent_in_nine_of_ten_runs() -> None:
    same: Side = (
        0.0,
        [
            observed("query", 0.0005, 2, LOAD, resource="select ?"),
            observed("lock", 0.001, 0.5, HANDLER, HOLDER),
        ],
        [(("handler (app/main.py:10)",), 0.001)],
    )
    loud = sum(bool(found(rounds(same, same, noise=0.1, seed=s))) for s in range(60))
    assert loud <= 6


def test_the_parts_of_a_ledger_add_up() -> None:
    sides: tuple[Side, ...] = (
        (0.0, [observed("query", 0.0005, 2, LOAD)], []),
        (0.004, [observed("connection pool", 0.004, 1), observed("query", 0.0005)], []),
    )
    made = rounds(*sides)
    book = ledger("t", NAMES, pair_of(made, "t", NAMES))
    for side in ("baseline", "candidate"):
        total = sum(getattr(part, side) for part in book.parts)
        assert total == pytest.approx(getattr(book.latency, side))
    assert book.parts[-1].name == "unexplained"
    assert all(value >= 0 for name, value in parts_of(made[0]).items())


@given(
    st.lists(
        st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)), min_size=2, max_size=30
    )
)
def test_a_difference_is_inside_its_interval(values: list[tuple[float, float]]) -> None:
    one = difference([a for a, _ in values], [b for _, b in values])
    assert one.low <= one.amount <= one.high and 0 <= one.p <= 1
    back = difference([b for _, b in values], [a for a, _ in values])
    assert back.amount == pytest.approx(-one.amount)


def test_counts_without_spread_differ_for_sure() -> None:
    assert difference([2, 2, 2], [16, 16, 16]).p == 0
    assert difference([2, 2, 2], [2, 2, 2]).p == 1


def calls(function: str, count: float) -> Observation:
    place = Place(function=f"Shop.{function}", file="app/sales.py", line=30)
    return observed("call", 0.0, count, place)


def counted(*counts: float) -> Pair:
    """Return follow-up rounds with the given number of calls of `load` on each side."""
    sides: list[Side] = [(0.0, [calls("load", count)], []) for count in counts]
    return pair_of(rounds(*sides), "t", NAMES)


LOADED: Stack = (("run (uvicorn/main.py)", "load (app/sales.py:32)"), 0.004)
ONCE: Stack = (LOADED[0], 0.0002)


def test_the_same_work_more_often_is_called_calls() -> None:
    made = pair_of(rounds((0, [], [ONCE]), (0.004, [], [LOADED])), "t", NAMES)
    (cause,) = causes("t", NAMES, made, counted(1, 20))
    assert cause.kind == "calls"
    assert "`load` is called 20 times instead of once" in cause.sentence


def test_dearer_calls_are_cpu_time() -> None:
    made = pair_of(rounds((0, [], [ONCE]), (0.004, [], [LOADED])), "t", NAMES)
    (cause,) = causes("t", NAMES, made, counted(2, 2))
    assert cause.kind == "cpu"
    assert "`load` is called twice on both sides; a call takes 2" in cause.sentence


def test_a_function_of_the_same_name_in_another_scope_is_another() -> None:
    before: Stack = (("run (uvicorn/main.py)", "old.<locals>.load (app/s.py:3)"), 0.001)
    after: Stack = (("run (uvicorn/main.py)", "new.<locals>.load (app/s.py:9)"), 0.005)
    made = pair_of(rounds((0, [], [before]), (0.004, [], [after])), "t", NAMES)
    follow_up = pair_of(
        rounds(
            (
                0.0,
                [
                    observed(
                        "call",
                        0,
                        1,
                        Place(function="old.load", file="app/s.py", line=3),
                    )
                ],
                [],
            ),
            (
                0.0,
                [
                    observed(
                        "call",
                        0,
                        1,
                        Place(function="new.load", file="app/s.py", line=9),
                    )
                ],
                [],
            ),
        ),
        "t",
        NAMES,
    )
    (cause,) = causes("t", NAMES, made, follow_up)
    assert "Only the candidate calls `new.<locals>.load`." in cause.sentence


HOP: Stack = (("app (starlette/routing.py)", "to_thread (asyncio/threads.py)"), 0.001)


def test_moves_to_a_thread_explain_cpu_time_without_a_place() -> None:
    hop = observed("thread pool", 0.00001, 1, LOAD)
    made = rounds((0, [], []), (0.001, [hop], [HOP]))
    (cause,) = found(made)
    assert (cause.kind, cause.where) == ("thread pool", str(LOAD))
    assert cause.sentence.startswith(
        "Each request takes 994 µs more CPU time: it moves"
    )
    assert f"thread once instead of never, for {LOAD}." in cause.sentence


def test_moves_to_a_thread_explain_the_cpu_time_of_the_function_that_moves() -> None:
    hop = observed("thread pool", 0.00001, 1, LOAD)
    stack = ("app (starlette/routing.py)", "handler (app/main.py:9)", HOP[0][-1])
    (cause,) = found(rounds((0, [], []), (0.001, [hop], [(stack, 0.001)])))
    assert cause.kind == "thread pool"
    own: Stack = (stack[:-1], 0.001)
    (cause,) = found(rounds((0, [], []), (0.001, [hop], [own])))
    assert (cause.kind, cause.where) == ("cpu", "handler (app/main.py:9)")


def test_the_work_of_a_function_in_a_thread_is_no_move() -> None:
    """A handler that moves to a thread, and computes more there."""
    hop = observed("thread pool", 0.00001, 1, LOAD)
    for stack in (
        ("_worker (concurrent/futures/thread.py)", "load (app/sales.py:31)"),
        ("_worker (concurrent/futures/thread.py)", "render (jinja2/runtime.py)"),
    ):
        (cause,) = found(rounds((0, [], []), (0.004, [hop], [(stack, 0.004)])))
        assert cause.kind == "cpu" and "worker thread" not in cause.sentence


def test_moves_to_a_thread_from_other_places_explain_nothing() -> None:
    before = [
        observed("thread pool", 0.00001, 1, Place(**place)) for place in MOVED[:2]
    ]
    after = [observed("thread pool", 0.00001, 1, Place(**place)) for place in MOVED[2:]]
    (cause,) = found(rounds((0, before, []), (0.001, after, [HOP])))
    assert cause.kind == "cpu" and "worker thread" not in cause.sentence


MOVED: list[dict[str, Any]] = [
    {"function": name, "file": "app/users.py", "line": 1} for name in "abcd"
]


def test_waits_for_a_thread_that_differ_by_chance_are_not_added() -> None:
    made = rounds(
        (0, [observed("thread pool", 0.004, 1, LOAD)], []),
        (0, [observed("thread pool", 0.003, 2, LOAD)], [HOP]),
    )
    dice = random.Random(1)
    made = [
        one.model_copy(
            update={
                "observations": tuple(
                    scaled(item, max(0.0, dice.gauss(1, 0.9)))
                    for item in one.observations
                )
            }
        )
        for one in made
    ]
    (cause,) = [one for one in found(made) if one.kind == "thread pool"]
    assert "more CPU time: it moves to a worker thread twice" in cause.sentence
    assert cause.amount == pytest.approx(0.001, rel=0.1)


def test_as_many_moves_to_a_thread_explain_nothing() -> None:
    hop = observed("thread pool", 0.00001, 1, LOAD)
    (cause,) = found(rounds((0, [hop], []), (0.001, [hop], [HOP])))
    assert cause.kind == "cpu" and "worker thread" not in cause.sentence


LOOP = ("run (uvicorn/main.py)", "limit (app/limits.py:3)")
THREAD = ("run (anyio/threads.py)", "run_in_transaction (app/work.py:8)")


def test_a_caller_to_which_work_moved_is_no_place() -> None:
    """The work of two functions moves from a thread to the event loop."""
    work = [("load (app/sales.py:31)", 0.004), ("check (app/users.py:5)", 0.003)]
    before: list[Stack] = [((*THREAD, frame), seconds) for frame, seconds in work]
    after: list[Stack] = [((*LOOP, frame), seconds) for frame, seconds in work]
    more: Stack = ((*LOOP, "send (app/mail.py:7)"), 0.002)
    (cause,) = found(rounds((0, [], before), (0.002, [], [*after, more])))
    assert cause.where == "send (app/mail.py:7)"


def test_functions_that_share_a_difference_are_all_named() -> None:
    stacks: list[Stack] = [
        ((*LOOP, f"{name} (app/x.py:1)"), seconds)
        for name, seconds in [("first", 0.002), ("second", 0.0015), ("third", 0.001)]
    ]
    (cause,) = found(rounds((0, [], []), (0.0045, [], stacks)))
    assert cause.where == "first (app/x.py:1)"
    assert "in first (app/x.py:1), 1.5" in cause.sentence
    assert " ms in second (app/x.py:1) and 1.00 ms in third" in cause.sentence


def test_a_caller_of_many_small_differences_is_the_place() -> None:
    stacks: list[Stack] = [
        ((*LOOP, "load_all (app/x.py:5)", f"step_{n} (app/x.py:1{n})"), seconds)
        for n, seconds in enumerate([0.0014, *[0.0005] * 5])
    ]
    (cause,) = found(rounds((0, [], []), (0.004, [], stacks)))
    assert cause.where == "load_all (app/x.py:5)"


def test_a_function_that_was_split_is_not_told_to_cost_more() -> None:
    old: list[Stack] = [((*LOOP, "old (app/x.py:1)"), 0.004)]
    new: list[Stack] = [
        ((*LOOP, f"{name} (app/x.py:9)"), seconds)
        for name, seconds in [("first", 0.003), ("second", 0.002)]
    ]
    (cause,) = found(rounds((0, [], old), (0.001, [], new)))
    assert "first" not in cause.sentence or "second" not in cause.sentence


def test_only_rounds_with_stacks_say_where_the_time_is_spent() -> None:
    made = [
        one.model_copy(update={"samples": 9} if one.number > 3 else {"stacks": ()})
        for one in rounds((0, [], [ONCE]), (0.004, [], [LOADED]))
    ]
    (cause,) = found(made)
    assert cause.where == "load (app/sales.py:32)" and "nearly all" in cause.sentence


def test_the_first_query_of_few_requests_is_told_in_requests() -> None:
    queries = [
        observed("query", seconds, count, LOAD, resource="CONNECT")
        for seconds, count in ((0.009, 0.34), (0.001, 0.03))
    ]
    (cause,) = found(rounds((0.008, queries[:1], []), (0, queries[1:], [])))
    assert "once in 33 requests instead of once in 3 requests" in cause.sentence
    assert "requests per request" not in cause.sentence


def test_a_call_without_samples_takes_hardly_any_time() -> None:
    made = pair_of(rounds((0, [], []), (0.004, [], [LOADED])), "t", NAMES)
    (cause,) = causes("t", NAMES, made, counted(1, 1))
    assert cause.sentence.endswith("a call takes 4.00 ms instead of hardly any time.")


def test_a_future_counts_only_what_its_thread_does_not_count_itself() -> None:
    query = observed("query", 0.006, 1, LOAD, resource="select ?")
    future = observed("other wait", 0.007, resource=FUTURE)
    for one in rounds((0, [future], []), (0, [query, future], [])):
        parts = parts_of(one)
        assert abs(parts["unexplained"]) < 0.002
        if one.variant == "head":
            assert parts["queries"] > 0.005 and parts["other waits"] < 0.004
        else:
            assert parts["other waits"] > 0.006


def test_a_query_that_moved_is_no_cause() -> None:
    moved = Place(function="read", file="app/other.py", line=3)
    sides: list[Side] = [
        (0.0, [observed("query", 0.003, 2, LOAD, resource="select ?")], []),
        (0.001, [observed("query", 0.004, 4, moved, resource="select ?")], []),
    ]
    (cause,) = found(rounds(*sides))
    assert "4 times instead of twice" in cause.sentence  # not "instead of never"


def test_what_a_holder_waits_for_belongs_to_the_lock() -> None:
    """A handler that sleeps under its lock is one cause, not two."""
    lock = observed("lock", 0.001, 0.5, HANDLER, HOLDER, "RLock")
    sleeps = observed("other wait", 0.003, 1, HOLDER)
    (cause,) = found(rounds((0, [], []), (0.004, [lock, sleeps], [])))
    assert (cause.kind, cause.holder) == ("lock", str(HOLDER))
    assert cause.amount == pytest.approx(0.004, rel=0.1)
    assert "ms of it the holder itself waits" in cause.sentence
    # A sleep in another function does not belong to the lock.
    elsewhere = observed("other wait", 0.003, 1, LOAD)
    both = found(rounds((0, [], []), (0.004, [lock, elsewhere], [])))
    assert {cause.kind for cause in both} == {"lock", "unexplained"}


def rarely_waiting(made: list[Round]) -> list[Round]:
    """Return the rounds with scaled waits; in some, hardly any request waits."""
    waits = (0.0, 0.3, 2.0, 0.2, 1.2, 0.4, 1.5, 0.1)
    return [
        one.model_copy(
            update={
                "cpu_wait": 0.0,
                "observations": tuple(
                    (
                        scaled(each, waits[one.number - 1])
                        if each.event.kind == "lock"
                        else each
                    )
                    for each in one.observations
                ),
            }
        )
        for one in made
    ]


@pytest.mark.parametrize(
    "holder, kind", [(HOLDER, "lock"), (LOAD, "unexplained")], ids=["same", "other"]
)
def test_a_holder_that_waits_is_known_from_few_waits_of_others(
    holder: Place, kind: str
) -> None:
    """At a low rate, other requests wait for the lock only in some rounds."""
    lock = observed("lock", 0.0005, 0.1, HANDLER, holder, "RLock")
    sleeps = observed("other wait", 0.003, 1, HOLDER)
    made = rounds((0, [], []), (0.0035, [lock, sleeps], []))
    cause = found(rarely_waiting(made))[0]
    assert cause.kind == kind
    assert ("the holder itself waits" in cause.sentence) == (kind == "lock")


def test_the_largest_of_few_waits_decides_who_holds() -> None:
    small = observed("lock", 0.0002, 0.1, LOAD, LOAD, "Lock")
    large = observed("lock", 0.0005, 0.1, HANDLER, HOLDER, "RLock")
    sleeps = observed("other wait", 0.003, 1, HOLDER)
    made = rounds((0, [], []), (0.0035, [small, large, sleeps], []))
    cause = found(rarely_waiting(made))[0]
    assert (cause.kind, cause.where) == ("lock", str(HANDLER))


def test_a_wait_for_nothing_that_is_counted_is_unexplained_at_its_place() -> None:
    wait = observed("other wait", 0.004)
    (cause,) = found(rounds((0, [], []), (0.004, [wait], [])))
    assert (cause.kind, cause.where) == ("unexplained", str(HANDLER))


def test_what_a_blocking_callback_waits_for_is_told_once() -> None:
    """The blocking call belongs to `other service`; waits behind it do not."""
    sides: list[Side] = [
        (0.0, [observed("other service", 0.005, place=LOAD)], []),
        (
            0.003,
            [
                observed("other service", 0.005, place=LOAD),
                observed("blocked loop", 0.006, place=LOAD),
                observed("blocked loop counted", 0.0058, place=LOAD),
                observed("loop behind block", 0.003, place=LOAD),
            ],
            [],
        ),
    ]
    (cause,) = found(rounds(*sides))
    assert cause.kind == "blocked event loop" and cause.where == str(LOAD)
    assert cause.amount == pytest.approx(0.0032, rel=0.1)


def test_cheap_queries_without_a_place_of_their_own_are_queries() -> None:
    scattered: list[Stack] = [((f"f{n} (sqlite3/x{n}.py)",), 0.0002) for n in range(9)]
    sides: list[Side] = [
        (0.0, [observed("query", 0.0001, 1, LOAD)], []),
        (0.002, [observed("query", 0.0006, 40, LOAD)], scattered),
    ]
    (cause,) = found(rounds(*sides))
    assert cause.kind == "queries" and "40 times instead of once" in cause.sentence


def test_functions_that_are_called_as_often_are_not_listed() -> None:
    sides: list[Side] = [
        (0.0, [calls("load", 1), calls("check", 3)], []),
        (0.0, [calls("load", 20), calls("check", 3)], []),
    ]
    (item,) = call_counts("t", NAMES, pair_of(rounds(*sides), "t", NAMES))
    assert item.where == "Shop.load (app/sales.py:30)" and item.counts == (1, 20)
    assert call_counts("t", NAMES, Pair((), ())) == []


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0.0, "never"),
        (0.01, "once in 100 requests"),
        (0.1, "once in 10 requests"),
        (0.6, "0.6"),
        (1.0, "once"),
        (2.01, "twice"),
        (16.0, "16 times"),
    ],
)
def test_how_often_something_happens(count: float, words: str) -> None:
    assert sentences._times(count).startswith(words)


def test_collections_are_counted() -> None:
    sides: list[Side] = [
        (0.0, [], []),
        # The collector runs on the request's thread, so its time is also CPU time.
        (
            0.002,
            [observed("garbage collection", 0.002, 0.02, LOAD)],
            [(("gc",), 0.002)],
        ),
    ]
    (cause,) = found(rounds(*sides))
    assert cause.kind == "garbage collection" and cause.where == str(LOAD)
    assert "once in 50 requests instead of never" in cause.sentence


def test_a_function_that_one_side_does_not_call_is_told_so() -> None:
    made = pair_of(rounds((0.004, [], [LOADED]), (0, [], [])), "t", NAMES)
    (cause,) = causes("t", NAMES, made, counted(1, 0))
    assert cause.kind == "calls"
    assert "The candidate does not call `load` at all." in cause.sentence


def test_a_query_that_one_side_does_not_send_is_told_so() -> None:
    query = observed("query", 0.003, 1, LOAD, resource="select ?")
    (cause,) = found(rounds((0.003, [query], []), (0, [], [])))
    assert "the baseline sends `select ?` once per request at load" in cause.sentence
    assert cause.sentence.endswith("the candidate never.")


def in_turn(*names: str) -> list[Observation]:
    """Return one call to each service, of 4 ms each, one after the other."""
    return [observed("other service", 0.004, resource=f"GET {name}") for name in names]


def at_once(*names: str) -> list[Observation]:
    """Return the same calls at the same time: only the first one counts."""
    calls = [
        observed("other service", 0.004 if name == names[0] else 0.0, resource=resource)
        for name in names
        for resource in [f"GET {name}"]
    ]
    overlapped = [
        observed("at once: other service", 0.004, resource=f"GET {name}")
        for name in names[1:]
    ]
    return calls + overlapped


def test_calls_one_after_the_other_are_told_from_longer_calls() -> None:
    names = ("a", "b", "c")
    slower = found(rounds((0.004, at_once(*names), []), (0.012, in_turn(*names), [])))
    (cause,) = slower
    assert cause.kind == "other services" and cause.amount == pytest.approx(0.008, 0.1)
    assert str(HANDLER) in cause.sentence
    assert "one after the other instead of at the same time" in cause.sentence
    (cause,) = found(rounds((0.012, in_turn(*names), []), (0.004, at_once(*names), [])))
    assert "at the same time instead of one after the other" in cause.sentence
    longer = [observed("other service", 0.010, resource="GET a")]
    (cause,) = found(rounds((0.004, in_turn("a"), []), (0.010, longer, [])))
    assert "takes 10.0 ms instead of 4.0" in cause.sentence


def test_calls_overlap_with_the_work_of_their_own_request_too() -> None:
    """So their waits add up to less at the same time than one after the other."""
    names = ("a", "b", "c", "d")
    alone = (0.00035, 0.0004, 0.0005, 0.0006)
    overlap = (0.0003, 0.0010, 0.0015, 0.0018)
    gathered = [
        observed(kind, seconds, resource=f"GET {name}")
        for kind, every in (
            ("other service", alone),
            ("at once: other service", overlap),
        )
        for name, seconds in zip(names, every, strict=True)
    ]
    in_order = [observed("other service", 0.0022, resource=f"GET {n}") for n in names]
    (cause,) = found(rounds((0.002, gathered, []), (0.009, in_order, [])))
    assert "one after the other instead of at the same time" in cause.sentence


def test_a_single_call_is_never_one_after_the_other() -> None:
    """Another call that ran at the same time is gone, and this one takes longer."""
    before = [
        observed("other service", 0.0, resource="GET b"),
        observed("at once: other service", 0.020, resource="GET b"),
        observed("other service", 0.020, resource="GET a"),
    ]
    after = [observed("other service", 0.030, resource="GET b")]
    (cause,) = found(rounds((0.020, before, []), (0.030, after, [])))
    assert "one after the other" not in cause.sentence


def test_a_coroutine_that_waits_is_told_with_what_it_awaits() -> None:
    wait = observed("await", 0.005, place=LOAD, resource="asyncio.sleep")
    (cause,) = found(rounds((0, [], []), (0.005, [wait], [])))
    assert (cause.kind, cause.where) == ("unexplained", str(LOAD))
    assert f"in {LOAD} for `asyncio.sleep`" in cause.sentence


def test_the_wait_for_a_core_is_part_of_waits_in_threads_only() -> None:
    one = rounds((0, [], []), (0, [], []))[0].model_copy(update={"cpu_wait": 0.001})
    for kind, seconds in (("other wait", 0.002), ("await", 0.003)):
        waits = {"observations": (observed(kind, 0.003),)}
        parts = parts_of(one.model_copy(update=waits))
        assert parts["other waits"] == pytest.approx(seconds)
    for loops, seconds in ((0.0, 0.002), (0.0008, 0.0028)):
        update = {
            "observations": (observed("thread pool", 0.003),),
            "loop_wait": loops,
        }
        parts = parts_of(one.model_copy(update=update))
        assert parts["thread pool"] == pytest.approx(seconds)


def test_cpu_time_of_a_library_belongs_to_what_the_library_sends() -> None:
    query = [observed("query", 0.0001 * n, n, resource="SELECT") for n in (1, 20)]
    handler: Stack = (("handler (./app/main.py:10)",), 0.001)
    base: Side = (0.0001, [query[0]], [handler])
    for file, kinds in (
        ("sqlalchemy/orm/loading.py", ["queries"]),
        ("json/encoder.py", ["cpu", "queries"]),
    ):
        stack = (f"instances ({file})",)
        head: Side = (0.006, [query[1]], [handler, (stack, 0.004)])
        assert [cause.kind for cause in found(rounds(base, head))] == kinds


def test_what_others_wait_for_a_collection_belongs_to_it() -> None:
    collected = observed("garbage collection", 0.004, resource="generation 2")
    behind = observed("loop behind block", 0.010)
    # The collector's time is also CPU time.
    stack: Stack = (("handler (./app/main.py:10)",), 0.004)
    (cause,) = found(rounds((0, [], []), (0.014, [collected, behind], [stack])))
    assert cause.kind == "garbage collection"
    assert cause.low < 0.014 < cause.high
    assert "10.0 ms of it while others wait" in cause.sentence
    elsewhere = observed("loop behind block", 0.010, place=LOAD)
    both = found(rounds((0, [], []), (0.014, [collected, elsewhere], [stack])))
    assert [one.kind for one in both] == ["blocked event loop", "garbage collection"]


@pytest.mark.parametrize("is_slower", [True, False])
def test_a_wait_that_no_longer_blocks_the_loop_is_told_beside_the_block(
    is_slower: bool,
) -> None:
    blocking: Side = (
        0.001,
        [
            observed("blocked loop", 0.003, place=LOAD),
            observed("loop behind block", 0.001, place=LOAD),
        ],
        [],
    )
    awaiting: Side = (0.0, [observed("await", 0.003, resource="asyncio.sleep")], [])
    sides = (awaiting, blocking) if is_slower else (blocking, awaiting)
    (cause,) = found(rounds(*sides))
    assert (cause.kind, cause.where) == ("blocked event loop", str(LOAD))
    assert abs(cause.amount) == pytest.approx(0.004, rel=0.1)
    side = "baseline" if is_slower else "candidate"
    expected = f"The {side} waits 3.0"
    assert expected in cause.sentence and f"in {HANDLER} instead" in cause.sentence


@pytest.mark.parametrize(
    ("block", "wait", "place"),
    [
        (0.003, 0.006, LOAD),  # longer than the block
        (0.006, 0.001, LOAD),  # too short for it
        (0.003, 0.003, None),  # nobody knows what blocked the loop
    ],
)
def test_another_wait_than_the_block_is_a_cause_of_its_own(
    block: float, wait: float, place: Place | None
) -> None:
    sides: list[Side] = [
        (block, [observed("blocked loop", block, place=place)], []),
        (wait, [observed("await", wait)], []),
    ]
    assert {cause.kind for cause in found(rounds(*sides))} == {
        "unexplained",
        "blocked event loop",
    }


def test_a_wait_beside_others_does_not_hide_them() -> None:
    """The wait that takes the block's place is only half of the new waits."""
    waits = [observed("await", 0.002), observed("await", 0.002, place=HOLDER)]
    sides: list[Side] = [
        (0.004, [observed("blocked loop", 0.004, place=LOAD)], []),
        (0.004, waits, []),
    ]
    assert {cause.kind for cause in found(rounds(*sides))} == {
        "unexplained",
        "blocked event loop",
    }


def test_all_queries_of_a_request_are_counted() -> None:
    one = observed("query", 0.0005, 1, HANDLER, resource="select a")
    sides: list[Side] = [
        (0.0, [one], []),
        (0.003, [one, observed("query", 0.003, 20, LOAD, resource="select b")], []),
    ]
    (cause,) = found(rounds(*sides))
    assert "sends queries 21 times instead of once and spends" in cause.sentence
    calls: list[Side] = [
        (0.0, [observed("other service", 0.001, 1, LOAD)], []),
        (0.003, [observed("other service", 0.004, 4, LOAD)], []),
    ]
    (cause,) = found(rounds(*calls))
    assert "calls other services 4 times instead of once and" in cause.sentence


def test_fewer_queries_may_still_take_longer() -> None:
    sides: list[Side] = [
        (0.0, [observed("query", 0.0010, 20, LOAD, resource="select a")], []),
        (0.004, [observed("query", 0.0050, 1, LOAD, resource="select b")], []),
    ]
    (cause,) = found(rounds(*sides))
    assert "sends queries once instead of 20 times but spends" in cause.sentence


@pytest.mark.parametrize(
    ("saved", "spent", "kinds"),
    [
        (0.006, 0.004, ["queries", "connection pool"]),  # 2 ms less in all
        (0.005, 0.004, ["queries", "connection pool"]),
        (0.004, 0.005, ["queries", "connection pool"][::-1]),  # 1 ms more in all
        (0.005, 0.002, ["queries", "connection pool"]),
    ],
)
def test_the_largest_cause_comes_first(
    saved: float, spent: float, kinds: list[str]
) -> None:
    sides: list[Side] = [
        (saved, [observed("query", saved, 1, LOAD)], []),
        (spent, [observed("connection pool", spent)], []),
    ]
    assert [one.kind for one in found(rounds(*sides, noise=0.001))] == kinds


def test_a_cause_against_the_difference_comes_last_unless_it_is_much_larger() -> None:
    def kinds(of_latency: float) -> list[str]:
        sides: list[Side] = [
            (0.0, [observed("query", 0.004, 1, LOAD)], []),
            (of_latency, [observed("connection pool", 0.003)], []),
        ]
        return [one.kind for one in found(rounds(*sides, noise=0.001))]

    assert kinds(0.003) == ["connection pool", "queries"]
    assert kinds(0.001) == ["queries", "connection pool"]


def test_rare_queries_are_not_told_as_numbers_that_read_the_same() -> None:
    sides: list[Side] = [
        (0.0, [observed("query", 0.0005, 0.97, LOAD)], []),
        (0.003, [observed("query", 0.0035, 1.04, LOAD)], []),
    ]
    (cause,) = found(rounds(*sides))
    assert cause.sentence.startswith("Each request spends 3.0")


def one_round(latency: float, cpu_wait: float, *seen: Observation) -> Round:
    return Round(
        topic="t",
        baseline="base",
        candidate="head",
        number=1,
        variant="head",
        requests=500,
        latency=latency,
        cpu=CPU,
        cpu_wait=cpu_wait,
        observations=seen,
    )


def test_no_client_waits_for_what_is_done_after_its_answer() -> None:
    parts = parts_of(one_round(0.0015, 0.0, observed("cpu after answer", 0.0005)))
    assert parts["cpu"] == pytest.approx(CPU - 0.0005)
    assert parts["unexplained"] == pytest.approx(0)


def test_a_wait_for_a_pool_takes_the_time_of_its_use() -> None:
    pooled = observed("connection pool", 0.020)
    calls = observed("other service", 0.030)
    behind = observed("other service behind pool", 0.020, place=None)
    parts = parts_of(one_round(CPU + 0.030, 0.0, pooled, calls, behind))
    assert parts["connection pool"] == pytest.approx(0.020)
    assert parts["other services"] == pytest.approx(0.010)
    assert parts["unexplained"] == pytest.approx(0, abs=1e-12)


def test_a_wait_for_a_core_counts_if_nothing_else_explains_the_time() -> None:
    parts = parts_of(one_round(CPU + 0.001, 0.0004))
    assert parts["waiting for the cpu"] == 0.0004
    assert parts["unexplained"] == pytest.approx(0.0006)
    # Another thread serves the request meanwhile.
    parts = parts_of(one_round(CPU + 0.0001, 0.0004))
    assert parts["waiting for the cpu"] == pytest.approx(0.0001)
    assert parts["unexplained"] == pytest.approx(0, abs=1e-12)
    parts = parts_of(one_round(CPU - 0.0001, 0.0004))
    assert parts["waiting for the cpu"] == 0
    assert parts["unexplained"] == pytest.approx(-0.0001)
