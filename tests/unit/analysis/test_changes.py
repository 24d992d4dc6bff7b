"""Causes in what changed between two commits."""

import difflib
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from assay.analysis.attribution.changes import at_head, explain, mark
from assay.analysis.attribution.every_cause import every_cause
from assay.commits import (
    ChangedFile,
    ChangedFunction,
    ChangedLines,
    CommitSide,
    Subject,
)
from assay.observations import Amount, Event, Observation, Place, Round
from assay.plan import Scenario, Target, Topic, Variant
from assay.results import Cause

SIDE = CommitSide(name="main", sha="0" * 40)


def changed_file(base: list[str], head: list[str]) -> ChangedFile:
    """Return the change between two contents of a file, as git would give it."""
    changes = []
    matcher = difflib.SequenceMatcher(None, base, head, autojunk=False)
    for tag, i, j, k, m in matcher.get_opcodes():
        if tag != "equal":
            changes.append(
                ChangedLines(
                    base_start=i + 1 if j > i else i,
                    base_length=j - i,
                    head_start=k + 1 if m > k else k,
                    head_length=m - k,
                )
            )
    return ChangedFile(path="app.py", base_path="app.py", changes=tuple(changes))


@given(st.data())
def test_a_line_that_did_not_change_is_the_same_line(data: st.DataObject) -> None:
    base = [f"line {number}" for number in range(data.draw(st.integers(1, 30)))]
    head: list[str] = []
    for line in base:
        head += [f"new {len(head)}"] * data.draw(st.integers(0, 2))
        head += [line] * data.draw(st.integers(0, 1))
    file = changed_file(base, head)
    for number, line in enumerate(base, 1):
        there = file.head_line(number)
        if line in head:
            assert head[there - 1] == line
        else:
            assert there >= 1


def subject_of(file: ChangedFile) -> Subject:
    return Subject(base=SIDE, head=SIDE, files=(file,))


FILE = ChangedFile(
    path="shop/prices.py",
    base_path="shop/old.py",
    changes=(
        ChangedLines(
            base_start=0, base_length=0, head_start=1, head_length=3, lines=("+a",)
        ),
        ChangedLines(
            base_start=9,
            base_length=1,
            head_start=12,
            head_length=2,
            lines=("-b", "+c"),
        ),
    ),
    functions=(ChangedFunction(name="price_of", first=10, last=20),),
)


def cause_at(where: str, holder: str = "") -> Cause:
    return Cause(
        topic="t",
        baseline="base",
        candidate="head",
        metric="latency.mean",
        kind="cpu",
        where=where,
        holder=holder,
        amount=0.001,
        low=0.0005,
        high=0.002,
        share=0.5,
        sentence="…",
    )


def test_places_of_base_become_those_of_head() -> None:
    place = Place(function="price_of", file="shop/old.py", line=10)
    observed = Observation(
        event=Event(kind="lock", place=place, holder=place),
        amount=Amount(count=1, seconds=1),
    )
    one = Round(
        topic="t",
        baseline="base",
        candidate="head",
        number=1,
        variant="base",
        requests=1,
        latency=0.1,
        cpu=0.1,
        cpu_wait=0,
        observations=(observed,),
        stacks=((("price_of (shop/old.py:10)", "sorted (library.py)"), 0.1),),
    )
    moved = at_head(one, subject_of(FILE))
    event = moved.observations[0].event
    assert str(event.place) == str(event.holder) == "price_of (shop/prices.py:14)"
    assert moved.stacks[0][0] == ("price_of (shop/prices.py:14)", "sorted (library.py)")


def test_a_cause_in_the_diff_is_marked_and_comes_first() -> None:
    inside = cause_at("price_of (shop/prices.py:18)")
    outside = cause_at("other (shop/prices.py:40)")
    elsewhere = cause_at("price_of (shop/app.py:18)")
    marked = mark([outside, elsewhere, inside], subject_of(FILE))
    assert [cause.changed for cause in marked] == [True, False, False]
    assert marked[0].where == inside.where
    assert marked[0].hunk == ("-b", "+c")


def test_a_waiter_is_marked_by_what_its_holder_changed() -> None:
    cause = cause_at("wait (shop/app.py:3)", holder="price_of (prices.py:12)")
    (marked,) = mark([cause], subject_of(FILE))
    assert marked.changed


def test_without_two_commits_nothing_is_marked() -> None:
    cause = cause_at("price_of (shop/prices.py:18)")
    assert mark([cause], None) == [cause]


def rounds_of(function: str, more: float) -> list[Round]:
    """Return rounds with random CPU times; a function takes `more` seconds in head."""
    rng = np.random.default_rng(3)
    place = f"{function} (shop/prices.py:12)"
    rounds = []
    for number in range(1, 9):
        for variant, extra in (("base", 0.0), ("head", more)):
            noise = float(rng.normal(0, 50e-6))
            seconds = 100e-6 + extra + float(rng.normal(0, 5e-6))
            rounds.append(
                Round(
                    topic="t",
                    baseline="base",
                    candidate="head",
                    number=number,
                    variant=variant,
                    requests=1000,
                    latency=1e-3 + 2 * noise,
                    cpu=500e-6 + noise + extra,
                    cpu_wait=0.0,
                    stacks=(((place,), seconds), (("serve (library.py)",), 400e-6)),
                    samples=60,
                )
            )
    return rounds


TOPIC = Topic(
    name="t",
    title="T",
    file=Path("claims.toml"),
    target=Target(cwd=Path()),
    scenario=Scenario(locustfile=Path("locustfile.py")),
    variants=(Variant(name="base"), Variant(name="head")),
)


def test_a_changed_function_stands_out_where_all_cpu_time_does_not() -> None:
    names, subject = ("base", "head"), subject_of(FILE)
    slower = rounds_of("price_of", 25e-6)
    assert every_cause(TOPIC, names, slower) == []
    (cause,) = explain(TOPIC, names, slower, subject)
    assert cause.where == "price_of (shop/prices.py:12)"
    assert cause.changed and cause.hunk == ("-b", "+c")
    assert cause.low < 25e-6 < cause.high
    assert "more CPU time in `price_of (shop/prices.py:12)`" in cause.sentence
    # A function that did not change is not tested alone, and a changed function that
    # takes as long as before is no cause.
    assert explain(TOPIC, names, rounds_of("other", 25e-6), subject) == []
    assert explain(TOPIC, names, rounds_of("price_of", 0.0), subject) == []
