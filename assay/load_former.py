"""The data types of a former load test that is shown beside a new one."""

from assay.plan import Data


class Beside(Data):
    """One number of one row, in two single load tests.

    Attributes:
        kind: Kind of the row; see `assay.load_results.Name`.
        method: HTTP method of the row; empty for all requests together.
        name: Name of the row; empty for all requests together.
        metric: ``latency.p50``, ``latency.p99`` or ``errors``.
        before: The number in the former test; None if there is none.
        now: The number in this test; None if there is none.
        before_bound: Whether `before` is only a lower bound.
        now_bound: Whether `now` is only a lower bound.
    """

    kind: str
    method: str
    name: str
    metric: str
    before: float | None
    now: float | None
    before_bound: bool = False
    now_bound: bool = False


class Former(Data):
    """A former load test beside this one: numbers, but never a verdict.

    Attributes:
        run: The name of the former run.
        title: Its title; empty if it has none.
        host: Its host.
        numbers: The numbers of the rows that both tests have.
        more: How many further rows of both tests are left out.
        only_before: Titles of rows that only the former test has.
        only_now: Titles of rows that only this test has.
        remarks: How the two tests differ, in sentences.
    """

    run: str
    title: str
    host: str
    numbers: tuple[Beside, ...]
    more: int = 0
    only_before: tuple[str, ...] = ()
    only_now: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
