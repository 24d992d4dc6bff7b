"""The causes of a run's differences, for a terminal and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from assay.report.why import LedgerView, why
from assay.results import Results
from assay.wording import one_line

if TYPE_CHECKING:
    from rich.console import Console

type Pair = tuple[str, str, str]  # topic, baseline, candidate


def pairs(results: Results, text: str = "") -> list[Pair]:
    """Return the compared pairs whose names or claims contain a text."""
    compared = dict.fromkeys(
        (item.topic, item.baseline, item.candidate) for item in results.comparisons
    )
    return [
        pair for pair in compared if any(text in one for one in _texts(results, pair))
    ]


def name(pair: Pair) -> str:
    """Return a pair in words."""
    topic, baseline, candidate = pair
    return one_line(f"{topic}: {candidate} against {baseline}")


def to_json(results: Results, chosen: Sequence[Pair]) -> str:
    """Return the causes and the ledgers of some pairs as JSON."""
    content = {
        key: [
            item.model_dump(mode="json")
            for item in items
            if (item.topic, item.baseline, item.candidate) in chosen
        ]
        for key, items in (("causes", results.causes), ("ledgers", results.ledgers))
    }
    return json.dumps(content, indent=2)


def render(results: Results, chosen: Sequence[Pair], console: Console) -> None:
    """Print the causes of some pairs, and where the time of a request goes."""
    from rich.text import Text

    for number, pair in enumerate(chosen):
        topic, *sides = pair
        view = why(results, topic, (sides[0], sides[1]))
        if number:
            console.print()
        console.print(Text(name(pair), "bold"))
        for index, cause in enumerate(view.causes, 1):
            console.print(Text(f"{index}. {one_line(cause.sentence)}"))
            interval = f" ({cause.interval})" if cause.interval else ""
            share = f", {cause.share}" if cause.share else ""
            line = f"   {cause.kind}: {cause.amount} per {cause.per}{interval}{share}"
            console.print(Text(line, "dim"))
        if not view.causes:
            console.print(
                "No cause stands out from the noise of the rounds of profiling."
                if view.ledger
                else "This pair was not profiled."
            )
        if view.ledger:
            console.print(_table(view.ledger))
        if view.cost:
            console.print(Text(one_line(view.cost), "dim"))


def _table(ledger: LedgerView):  # type: ignore[no-untyped-def]
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("where the time goes")
    for heading in (f"A {ledger.baseline}", f"B {ledger.candidate}", "difference"):
        table.add_column(heading, justify="right")
    for part in ledger.parts:
        table.add_row(part.name, part.baseline, part.candidate, part.amount)
    return table


def _texts(results: Results, pair: Pair) -> Iterable[str]:
    yield from pair
    for claim in results.claims:
        if (claim.topic, claim.baseline, claim.candidate) == pair:
            yield claim.says
