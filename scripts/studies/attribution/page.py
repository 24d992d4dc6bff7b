"""The page of the study: what was planted, what Assay said, and whether it is right."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from assay.wording import percent, quantity
from scripts.studies.attribution.known import Case
from scripts.studies.pages import Goal, goal_summary, goal_table, markdown_table

MAX_SECONDS = 45.0  # the longest time that profiling may add to a run
# The share of the difference of mean latency that the ledger has to explain.
EXPLAINED = 0.85
MIN_RIGHT = 22 / 24
MIN_EXPLAINED = 18 / 24
MIN_IN_INTERVAL = 20 / 24


@dataclass
class Answer:
    """What Assay said of a case in one run.

    Attributes:
        causes: The fields of each cause, by name, in the order of the results.
        explained: Share of the difference of mean latency that is not `unexplained`;
            None if there is no ledger or no difference.
        latency: Mean latency of baseline and candidate while they were profiled, in
            seconds; zeros if there is no ledger.
        seconds: Wall-clock time of the whole run.
        warnings: The warnings of the run, and its messages if it did not end normally.
        profiling: The seconds from the last launch until the results were written; 0
            if there are no results.
        planted: The planted amount per request, in the unit of the first cause; None if
            it is unknown.
    """

    case: str
    seed: int
    causes: list[dict[str, object]]
    explained: float | None
    latency: tuple[float, float]
    seconds: float
    warnings: list[str]
    profiling: float = 0.0
    planted: float | None = None


def is_right(case: Case, answer: Answer) -> bool:
    """Say whether the first cause is of the right kind and names the right place.

    If nothing was planted, an answer without causes is right, but only if both sides
    were profiled.
    """
    if not case.kind:
        return was_profiled(answer) and not answer.causes
    if not answer.causes:
        return False
    first = answer.causes[0]
    text = f"{first['where']} {first['sentence']}"
    return first["kind"] == case.kind and any(name in text for name in case.names)


def was_profiled(answer: Answer) -> bool:
    """Say whether the run has results, with a ledger from rounds of both sides."""
    return all(answer.latency)


def in_interval(case: Case, answer: Answer) -> bool:
    """Say whether a right first cause has the planted amount in its interval."""
    if answer.planted is None or not is_right(case, answer):
        return False
    first = answer.causes[0]
    low, high = (float(str(first[name])) for name in ("low", "high"))
    return low <= answer.planted <= high


def goals(cases: Sequence[Case], answers: Sequence[Answer]) -> list[Goal]:
    """Judge Assay by every goal."""
    judged = _pairs(cases, answers)
    planted = [(case, answer) for case, answer in judged if case.kind]
    silent = [is_right(case, answer) for case, answer in judged if not case.kind]
    right = [is_right(case, answer) for case, answer in planted]
    # Memory growth and start-up are not part of the latency. A run without a ledger
    # explains nothing.
    explained = [
        answer.explained is not None and answer.explained >= EXPLAINED
        for case, answer in planted
        if case.kind not in ("memory growth", "start-up")
    ]
    amounts = [
        in_interval(case, answer)
        for case, answer in planted
        if answer.planted is not None
    ]
    profiling = [answer.profiling for _, answer in judged if answer.profiling]
    longest = max(profiling, default=0.0)
    return [
        _share("right kind and function first", right, MIN_RIGHT),
        _share("nothing said where nothing was planted", silent, 1.0),
        _share(f"ledger explains {percent(EXPLAINED)}", explained, MIN_EXPLAINED),
        _share("planted amount is in the interval, if known", amounts, MIN_IN_INTERVAL),
        Goal(
            "longest profiling of a pair, until its results are written",
            f"at most {MAX_SECONDS:g} s",
            f"{longest:.0f} s",
            longest <= MAX_SECONDS if profiling else None,
        ),
    ]


def page(
    cases: Sequence[Case], answers: Sequence[Answer], machines: Sequence[str]
) -> str:
    """Return the page."""
    judged = goals(cases, answers)
    seconds = [answer.profiling for answer in answers if answer.profiling]
    parts = [
        "# Does Assay name the cause?",
        goal_summary(judged),
        goal_table(judged),
        "Small services with one planted cause each, under names that give nothing "
        "away, and services without one. Each was measured by `assay run --profiles` "
        "with two launches; causes come from the rounds after them. An answer is right "
        "if the first cause is of the planted kind and names the planted function. "
        "Where nothing is planted, it is right if both sides were profiled and no "
        "cause is named. If the planted amount is known, the service itself timed it "
        "in the same rounds.",
        "## Planted",
        _table(cases, answers, planted=True),
        "## Nothing planted",
        _table(cases, answers, planted=False),
        "## What was said",
        *_sentences(cases, answers),
        "## How to repeat it",
        (
            f"Measured on {_machines(machines)}. Profiling a "
            f"pair took {statistics.median(seconds):.0f} s in the median."
            if seconds
            else ""
        ),
        "```console\n$ ./scripts/study_attribution --page\n```",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _pairs(
    cases: Sequence[Case], answers: Sequence[Answer]
) -> list[tuple[Case, Answer]]:
    by_name = {case.name: case for case in cases}
    return [
        (by_name[answer.case], answer) for answer in answers if answer.case in by_name
    ]


def _share(name: str, flags: Sequence[bool], required: float) -> Goal:
    return Goal(
        name,
        "all" if required == 1.0 else f"at least {required:.0%}",
        f"{sum(flags)} of {len(flags)}",
        sum(flags) >= required * len(flags) if flags else None,
    )


def _table(cases: Sequence[Case], answers: Sequence[Answer], planted: bool) -> str:
    rows = []
    for case, answer in _pairs(cases, answers):
        if bool(case.kind) != planted:
            continue
        first = answer.causes[0] if answer.causes else None
        a, b = (quantity(seconds, "s") for seconds in answer.latency)
        rows.append(
            [
                case.name,
                case.kind or "–",
                str(first["kind"]) if first else _nothing(answer),
                _code(str(first["where"])) if first else "–",
                "right" if is_right(case, answer) else "**wrong**",
                f"{a} → {b}",
                _planted(case, answer),
                _found(first) if first else "–",
                "–" if answer.explained is None else f"{answer.explained:.0%}",
            ]
        )
    header = ["case", "planted", "said", "where", "", "mean latency"]
    return markdown_table([*header, "planted amount", "amount", "explained"], rows)


def _nothing(answer: Answer) -> str:
    return "nothing" if was_profiled(answer) else "not profiled"


def _planted(case: Case, answer: Answer) -> str:
    if answer.planted is None:
        return "–"
    return quantity(answer.planted, "B" if case.bytes_kept else "s")


def _found(cause: dict[str, object]) -> str:
    unit = str(cause.get("unit", "s"))
    amount, low, high = (
        quantity(float(str(cause[name])), unit) for name in ("amount", "low", "high")
    )
    return f"{amount} [{low}, {high}]"


def _sentences(cases: Sequence[Case], answers: Sequence[Answer]) -> list[str]:
    """Return what was said of each case, from its first answer."""
    lines, seen = [], set()
    for case, answer in _pairs(cases, answers):
        if case.name in seen:
            continue
        seen.add(case.name)
        sentences = [str(cause["sentence"]) for cause in answer.causes]
        sentences = sentences or [f"{_nothing(answer).capitalize()}."]
        listed = "\n".join(f"- {_plain(sentence)}" for sentence in sentences)
        lines.append(f"**{case.name}**\n\n{listed}")
    return lines


def _code(text: str) -> str:
    return f"`{text}`" if text else "–"


def _plain(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _machines(machines: Sequence[str]) -> str:
    return " and ".join(machines) or "an unknown machine"
