"""The state that all parts of a running experiment share."""

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from assay.analysis import comparisons, gates, measurements, verdicts
from assay.analysis.looks import Looks
from assay.experiment.progress import Progress
from assay.plan import AA_SUFFIX, Plan, Topic
from assay.results import Comparison, Results
from assay.run_directory.run import RunDirectory
from assay.system import processes
from assay.wording import DISTURBANCES

# Takes the name of a variant and the files that it imported. Raises MeasureError if a
# file does not belong to that variant.
CheckFiles = Callable[[str, Sequence[str]], None]


def accept_files(variant: str, files: Sequence[str]) -> None:
    """Accept all files that a variant imports: the user chose its command."""


@dataclass
class Experiment:
    """An experiment that is running.

    Attributes:
        plan: The plan that is measured.
        looks: The launches after which the verdicts are judged.
        run: The run directory, where the measurements are stored.
        progress: Shows the progress of the run.
        cores: The cores of the target and of the load generator.
        scratch: A folder for temporary files.
        origin: `time.perf_counter` at the start, from which all stored times count.
        warnings: Sentences that a reader of the results must know.
        errors: How often each request error occurred, by topic and variant.
        check_files: Checks which files a variant imports.
    """

    plan: Plan
    looks: Looks
    run: RunDirectory
    progress: Progress
    cores: processes.Cores
    scratch: Path
    origin: float = field(default_factory=time.perf_counter)
    warnings: list[str] = field(default_factory=list)
    errors: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    check_files: CheckFiles = accept_files

    def rng(self, topic: Topic, purpose: object) -> random.Random:
        """Return the random number generator of one launch or profile of a topic.

        The generator depends only on the seed of the run, the topic and the purpose: a
        block that is repeated in one launch changes no other launch.
        """
        return random.Random(f"{self.plan.settings.seed}/{topic.name}/{purpose}")

    def read_measurements(self) -> measurements.Measurements:
        """Read the measurements that are on disk so far."""
        return measurements.Measurements(
            self.run.slices(),
            self.run.launches(),
            self.run.tests(),
            self.run.requests(),
        )

    def results(self, partial: bool) -> Results:
        """Judge all measurements that are on disk so far."""
        warnings = [*self.warnings, *self._error_warnings()]
        results = verdicts.evaluate(
            self.plan,
            self.read_measurements(),
            self.run.name,
            partial,
            warnings,
            self.run.rounds(),
        )
        return gates.decide(self.plan, results)

    def errors_of(self, topic: Topic, variant: str) -> Counter[str]:
        """Return the counter of errors that a variant and its A/A arm share."""
        key = topic.name, variant.removesuffix(AA_SUFFIX)
        return self.errors.setdefault(key, Counter())

    def _error_warnings(self) -> list[str]:
        """Name the most frequent error of every variant that had any."""
        return [
            f"{topic}: variant {variant} had failed requests, most often: {error}"
            for (topic, variant), errors in self.errors.items()
            for error, _ in errors.most_common(1)
        ]

    def main_disturbance(self, topic: Topic, launches: Sequence[int]) -> str:
        """Say what disturbed some launches most often, as the end of a sentence."""
        measured = self.read_measurements()
        cause = measurements.main_disturbance(measured, topic.name, launches)
        return f", mostly by {DISTURBANCES[cause]}" if cause in DISTURBANCES else ""

    def comparisons(self, topic: Topic) -> list[Comparison]:
        """Return a topic's deciding comparisons, as far as they are measured."""
        measured = self.read_measurements()
        return list(
            comparisons.comparisons(self.looks, topic, measured, deciding_only=True)
        )

    def decided(self, topic: Topic) -> bool:
        """Say whether all verdicts of a topic are final, whatever follows."""
        return verdicts.decided(self.looks, topic, self.read_measurements())
