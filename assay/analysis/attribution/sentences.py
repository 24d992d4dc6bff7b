"""Describe causes in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from assay.analysis.attribution.frames import split_place
from assay.analysis.attribution.rounds import Difference
from assay.wording import fixed, quantity

if TYPE_CHECKING:
    from assay.analysis.attribution.groups import Group
    from assay.analysis.attribution.merging import Attributed

MAX_NAMED = 4  # a sentence names at most this many functions or queries
NEARLY_ALL = 0.95  # a larger share of a difference is called "nearly all"
MOST = 0.6  # waits that moved apart explain a difference from this share of it on
APART = 0.5  # waits moved apart if this share of their difference overlapped before
OVERLAPS = 0.1  # a wait moved apart only if its own overlap is this share of it
RARE = 0.5  # a smaller number of times is told as once in so many requests
ALIKE = 1.2  # events are alike if the longest takes this many times the mean
PER_REQUEST = " per request"
CERTAIN = 0.05  # a difference of counts is told up to this p-value
SAME_COUNT = 0.05  # counts that differ by a smaller share are the same


def of(cause: Attributed) -> str:
    """Return a sentence on a cause: the time that it costs or saves, where, and why."""
    kind, total, groups = cause.kind, cause.total, cause.groups
    first = groups[0] if groups else None
    word = "more" if total.amount > 0 else "less"
    amount = quantity(abs(total.amount), "s")
    if kind == "cpu":
        takes = f"Each request takes {amount} {word} CPU time{_in(cause)}."
        return takes + _called(cause)
    if kind in ("queries", "other services"):
        return _sent(cause, amount, word)
    if kind == "blocked event loop":
        return _blocked(cause, amount, word)
    if kind == "garbage collection":
        return _collected(amount, word, first, cause.behind)
    if kind == "other waits":
        where = f" in {first.place}" if first and first.place else ""
        if first and first.resource:
            return f"Each request waits {amount} {word}{where} for `{first.resource}`."
        return (
            f"Each request waits {amount} {word}{where} for something that Assay does "
            "not count, such as a sleep, a file, or the interpreter's lock."
        )
    if kind == "thread pool" and any(counts_differ(group.count) for group in groups):
        return _hops(cause, amount, word)
    waited = {
        "thread pool": "a worker thread",
        "connection pool": "a pooled connection",
        "lock": "a lock",
    }[kind]
    sentence = f"Each request waits {amount} {word} for {waited}"
    if first is None:
        return sentence + "."
    if first.resource:
        sentence += f" ({first.resource})"
    if first.place:
        sentence += f": {first.place} waits"
        sentence += f" {quantity(first.seconds.candidate, 's')} instead of "
        sentence += quantity(first.seconds.baseline, "s")
    if first.holder and kind == "thread pool":
        verb = "keeps" if total.amount > 0 else "kept"
        sentence += f", while {first.holder} {verb} the threads busy"
    elif first.holder and first.holder != first.place:
        verb = "holds" if total.amount > 0 else "held"
        sentence += f", while {first.holder} {verb} it"
    if cause.held:
        held = quantity(abs(cause.held), "s")
        sentence += f"; for {held} of it the holder itself waits"
    return sentence + "."


def _hops(cause: Attributed, amount: str, word: str) -> str:
    """Say how often a request moves to a worker thread, and for which functions."""
    changed = [group for group in cause.groups if counts_differ(group.count)]
    sides = [
        sum(getattr(group.count, side) for group in changed)
        for side in ("candidate", "baseline")
    ]
    names = [str(group.place) for group in changed if group.place][:MAX_NAMED]
    for_what = f", for {', '.join(names)}" if names else ""
    around = ""
    if abs(cause.cpu) > NEARLY_ALL * abs(cause.total.amount):
        return (
            f"Each request takes {amount} {word} CPU time: it moves to a worker thread "
            f"{_times(sides[0])} instead of {_times(sides[1])}{for_what}."
        )
    if cause.cpu:
        around = f" and {quantity(abs(cause.cpu), 's')} CPU time around it"
    return (
        f"Each request spends {amount} {word} on worker threads{around}: it moves to a "
        f"worker thread {_times(sides[0])} instead of {_times(sides[1])}{for_what}."
    )


def _collected(amount: str, word: str, first: Group | None, behind: float) -> str:
    """Say how often the garbage collector runs, and which line starts it most often."""
    sentence = f"Garbage collection takes {amount} {word} of each request"
    if behind:
        waits = quantity(abs(behind), "s")
        sentence += f" ({waits} of it while others wait for the event loop)"
    if first is None:
        return sentence + "."
    if first.place:
        sentence += f", most of it at {first.place}"
    if counts_differ(first.count):
        sentence += (
            f": {first.resource} is collected {_times(first.count.candidate)} instead "
            f"of {_times(first.count.baseline)}"
        )
    return f"{sentence}, for up to {quantity(first.longest, 's')}."


def _called(cause: Attributed) -> str:
    """Say how often the function that carries the difference of CPU time is called."""
    calls, place = cause.calls, cause.frontier
    if calls is None or place is None or place.others:
        return ""
    name, _ = split_place(place.own)
    count = calls.count
    if not count.candidate:
        return f" The candidate does not call `{name}` at all."
    if not count.baseline:
        return f" Only the candidate calls `{name}`."
    if counts_differ(count):
        return f" `{name}` is called {_instead_of(count)}."
    each = [
        quantity(seconds / number, "s") if seconds else "hardly any time"
        for seconds, number in (
            (place.seconds.candidate, count.candidate),
            (place.seconds.baseline, count.baseline),
        )
    ]
    return (
        f" `{name}` is called {_times(count.candidate)} on both sides; a call takes "
        f"{each[0]} instead of {each[1]}."
    )


def counts_differ(count: Difference) -> bool:
    """Say whether the candidate does something more often or less often."""
    return abs(count.amount) > SAME_COUNT * max(count.baseline, count.candidate)


def _in(cause: Attributed) -> str:
    """Return the end of a sentence that says where the CPU time is spent."""
    place = cause.frontier
    if place is None:
        return ""
    carried = quantity(abs(place.seconds.amount), "s")
    whole = NEARLY_ALL * abs(cause.total.amount)
    if abs(place.seconds.amount) > whole and not place.others:
        carried = "nearly all"
    if not place.own:
        return f", {carried} of it in {place.inside}"
    if place.inside:
        return f", {carried} of it in {place.inside}, called by {place.own}"
    others = [
        f"{quantity(abs(found.amount), 's')} in {own}" for own, found in place.others
    ]
    return " and ".join(
        [", ".join([f", {carried} of it in {place.own}", *others[:-1]]), *others[-1:]]
    )


def _sent(cause: Attributed, amount: str, word: str) -> str:
    """Say which query or call changed: how often it is sent, or how long it takes."""
    groups = cause.groups
    services = cause.kind == "other services"
    noun = "calls to other services" if services else "queries"
    spends = f"Each request spends {amount} {word} in {noun}"
    if how_often := _how_often(cause.sent):
        does = "calls other services" if services else "sends queries"
        same_way = (cause.sent.amount > 0) == (word == "more") if cause.sent else True
        conjunction = "and" if same_way else "but"
        spends = (
            f"Each request {does} {how_often} {conjunction} spends {amount} {word} in "
            "them"
        )
    if cause.cpu:
        cpu = quantity(abs(cause.cpu), "s")
        spends += f", and in the CPU time around them ({cpu})"
    if not groups:
        return f"{spends}."
    apart = moved_apart(groups)
    moved = sum(abs(group.seconds.amount) for group in apart)
    if apart and MOST <= moved / abs(cause.total.amount) <= 1 / MOST:
        return f"{spends}: {_one_by_one(apart, word == 'more')}"
    first = groups[0]
    count = first.count
    sends = f"{first.place} sends" if first.place else "it sends"
    if not counts_differ(count):
        each = [
            quantity(seconds / max(number, 1e-12), "s")
            for seconds, number in (
                (
                    first.seconds.candidate + first.at_once.candidate,
                    count.candidate,
                ),
                (first.seconds.baseline + first.at_once.baseline, count.baseline),
            )
        ]
        return (
            f"{spends}: `{first.resource}`, which "
            f"{sends}, takes {each[0]} instead of {each[1]}."
        )
    sides = (
        ("baseline", count.baseline, "candidate", count.candidate),
        ("candidate", count.candidate, "baseline", count.baseline),
    )
    at = f" at {first.place}" if first.place else ""
    for sender, number, other, other_number in sides:
        if not other_number:
            return (
                f"{spends}: the {sender} sends `{first.resource}` "
                f"{_per_request(number)}{at}, the {other} never."
            )
    return f"{spends}: {sends} " f"`{first.resource}` {_instead_of(count)}."


def _how_often(sent: Difference | None) -> str:
    """Say how often a request sends anything at all, if both sides differ in that."""
    if sent is None or sent.p > CERTAIN or not counts_differ(sent):
        return ""
    if not sent.baseline or not sent.candidate:
        return ""  # the rest of the sentence says so
    now, before = _times(sent.candidate), _times(sent.baseline)
    return f"{now} instead of {before}" if now != before else ""


def moved_apart(groups: Sequence[Group]) -> list[Group]:
    """Return the events of one place that differ mostly in how much they overlap.

    Both sides have as many of them. But one side runs them at the same time, and the
    other side runs them one after the other. Then one of them may overlap little, such
    as the first that ends, so they are judged together. Empty if they do not overlap.
    """
    same = [
        group
        for group in groups
        if not counts_differ(group.count)
        and _function(group) == _function(groups[0])
        and -group.at_once.amount * group.seconds.amount
        >= OVERLAPS * group.seconds.amount**2
    ]
    if sum(group.count.candidate for group in same) < 2 - SAME_COUNT:
        return []
    seconds = sum(group.seconds.amount for group in same)
    at_once = sum(group.at_once.amount for group in same)
    # What is no longer at once now counts by itself.
    return same if -at_once * seconds >= APART * seconds**2 > 0 else []


def _function(group: Group) -> tuple[str, str] | None:
    return (group.place.function, group.place.file) if group.place else None


def _one_by_one(groups: Sequence[Group], total_is_more: bool) -> str:
    """Say that something happens one after the other instead of at the same time."""
    texts = dict.fromkeys(f"`{group.resource}`" for group in groups)
    named = ", ".join(list(texts)[:MAX_NAMED])
    at = f"{groups[0].place} waits for " if groups[0].place else "it waits for "
    count = sum(group.count.candidate for group in groups)
    how = ("one after the other", "at the same time")
    now, before = how if total_is_more else how[::-1]
    return f"{at}{named} ({_times(count)} per request) {now} instead of {before}."


def _blocked(cause: Attributed, amount: str, word: str) -> str:
    sentence = f"Each request spends {amount} {word} on a blocked event loop"
    first = cause.groups[0] if cause.groups else None
    if first is None or first.place is None:
        return sentence + "."
    verb = "blocks" if word == "more" else "blocked"
    sentence += f": {first.place} {verb} it for everybody, {_each(first)}."
    if cause.instead is None:
        return sentence
    wait = cause.instead
    side = "baseline" if word == "more" else "candidate"
    seconds = getattr(wait.seconds, side)
    at = f" in {wait.place}" if wait.place else ""
    return (
        f"{sentence} The {side} waits {quantity(seconds, 's')}{at} instead, while "
        "others run."
    )


def _each(blocks: Group) -> str:
    """Say how long the blocks of an event loop take: each one, and the longest."""
    longest = quantity(blocks.longest, "s")
    if not blocks.each:
        return f"for up to {longest}"
    each = f"for {quantity(blocks.each, 's')} each time"
    return (
        each if blocks.longest < ALIKE * blocks.each else f"{each}, at most {longest}"
    )


def _times(count: float) -> str:
    if 0 < count < RARE:
        return f"once in {round(1 / count):,} requests"
    number = _number(count)
    return {"0": "never", "1": "once", "2": "twice"}.get(number, f"{number} times")


def _instead_of(count: Difference) -> str:
    """Say how often both sides do something: ``twice instead of once per request``."""
    now, before = _per_request(count.candidate), _per_request(count.baseline)
    if now.endswith(PER_REQUEST) and before.endswith(PER_REQUEST):
        now = now.removesuffix(PER_REQUEST)
    return f"{now} instead of {before}"


def _per_request(count: float) -> str:
    times = _times(count)
    return times if times.endswith(" requests") else times + PER_REQUEST


def _number(count: float) -> str:
    if abs(count - round(count)) < 0.05:
        return f"{round(count):,}"
    return fixed(count, 2 if count < 1 else 1)
