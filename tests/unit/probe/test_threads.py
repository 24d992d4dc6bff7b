"""The probe's counts of waits for a worker thread."""

from pathlib import Path
from types import SimpleNamespace

from assay.probe import threads
from assay.probe.places import Project
from assay.probe.totals import Totals
from assay.probe.waits import Waits


class Connection:
    """Like waitress's channel: one object, served once for each of its requests."""

    served = 0

    def service(self) -> None:
        self.served += 1


class Dispatcher:
    threads = (1,)

    def add_task(self, task: Connection) -> None:
        task.service()


def test_a_connection_that_is_kept_counts_each_request_once() -> None:
    totals = Totals(Project([str(Path(__file__).parent)]))
    module = SimpleNamespace(ThreadedTaskDispatcher=Dispatcher)
    threads._waitress(module, Waits(totals))
    dispatcher, connection = Dispatcher(), Connection()
    for _ in range(5):
        dispatcher.add_task(connection)
    assert connection.served == 5
    counts = {kind: numbers[0] for kind, *_, numbers in _rows(totals)}
    assert counts[threads.THREADS] == 5


def _rows(totals: Totals) -> list[tuple[str, object, list[float]]]:
    return [(row[0], row[1], list(row[4:])) for row in totals.rows()]
