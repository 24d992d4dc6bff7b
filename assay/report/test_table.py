"""The table of what is judged by itself, tests or requests, as text."""

from dataclasses import dataclass

from assay.metrics import METRICS
from assay.report.summary import by_change, gate_key, gate_text, gates_by_key
from assay.results import Comparison, LeftOut, Results
from assay.wording import compared, one_line, percent, quantity, unit_of, verdict_word


@dataclass(frozen=True)
class TestRow:
    """One benchmark of a suite, or one request of a service, as text.

    Attributes:
        seen: The smallest change that the test's launches would have shown.
    """

    __test__ = False  # pytest would collect it

    test: str
    baseline: str
    candidate: str
    compared: str
    seen: str
    verdict: str
    reason: str
    launches: int


@dataclass(frozen=True)
class TestTable:
    """The benchmarks of a suite.

    Attributes:
        changed: The benchmarks that are not *same*, slower ones first.
        same: The benchmarks that are *same*.
        left_out: The benchmarks that were not compared: name, kind and reason.
    """

    __test__ = False

    changed: tuple[TestRow, ...]
    same: tuple[TestRow, ...]
    left_out: tuple[tuple[str, str, str], ...]

    def __bool__(self) -> bool:
        """Say whether the table has any benchmark."""
        return bool(self.changed or self.same or self.left_out)


def table_of_tests(
    results: Results, topic: str, pair: tuple[str, str], of_requests: bool = False
) -> TestTable:
    """Return the table of a pair's benchmarks; empty if there are none.

    Args:
        results: The results of the run.
        topic: The topic's name.
        pair: Baseline and candidate.
        of_requests: Whether to return the table of the service's requests instead.
    """
    of_pair = [
        item
        for item in results.comparisons
        if item.test
        and (item.topic, item.baseline, item.candidate) == (topic, *pair)
        and METRICS[item.metric].of_request == of_requests
    ]
    seconds = {
        (value.test, value.variant): value.value
        for value in results.values
        if value.test and value.topic == topic
    }
    gates = gates_by_key(results)
    rows = [
        (item, _row(item, seconds, gate_text(gates.get(gate_key(item)))))
        for item in by_change(of_pair)
    ]
    return TestTable(
        tuple(row for item, row in rows if item.verdict != "same"),
        tuple(row for item, row in rows if item.verdict == "same"),
        tuple(
            (one_line(item.test), item.kind, one_line(item.reason))
            for item in ([] if of_requests else _left_out(results, topic))
        ),
    )


def _left_out(results: Results, topic: str) -> list[LeftOut]:
    return [item for item in results.left_out if item.topic == topic]


def _row(item: Comparison, seconds: dict[tuple[str, str], float], gate: str) -> TestRow:
    unit = unit_of(item.metric)
    sides = [
        (
            quantity(seconds[item.test, name], unit)
            if (item.test, name) in seconds
            else "–"
        )
        for name in (item.baseline, item.candidate)
    ]
    return TestRow(
        test=one_line(item.test),
        baseline=sides[0],
        candidate=sides[1],
        compared=compared(item),
        seen="–" if item.detectable is None else percent(item.detectable),
        verdict=verdict_word(item),
        reason="; ".join(filter(None, (gate, one_line(item.reason)))),
        launches=item.launches,
    )
