"""What all parts of a run that is under way share."""

import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from assay.analysis import comparisons, measurements, verdicts
from assay.analysis.looks import Looks
from assay.experiment.progress import Progress
from assay.plan import AA_SUFFIX, Plan, Topic
from assay.results import Comparison, Results
from assay.run_directory.run import RunDirectory
from assay.system import processes
from assay.wording import DISTURBANCES


@dataclass
class Experiment:
    """A run that is under way.

    Attributes:
        origin: `time.perf_counter` when it began: zero of all times it keeps.
        warnings: What a reader must know, in sentences.
        errors: Topic and variant, to its request errors and how often they came.
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

    def rng(self, topic: Topic, what: object) -> random.Random:
        """Return the random choices of one launch or profile of a topic.

        They depend only on the seed: a block that was repeated in one launch changes
        no other launch.
        """
        return random.Random(f"{self.plan.settings.seed}/{topic.name}/{what}")

    def measured(self) -> measurements.Measurements:
        """Read what is on disk so far."""
        return measurements.Measurements(self.run.slices(), self.run.launches())

    def results(self, partial: bool) -> Results:
        """Judge everything that is on disk so far."""
        warnings = [*self.warnings, *self._failures()]
        return verdicts.evaluate(
            self.plan, self.measured(), self.run.name, partial, warnings
        )

    def failed(self, topic: Topic, variant: str) -> Counter[str]:
        """Return the errors so far of a variant, which is itself in an A/A arm too."""
        of_variant = topic.name, variant.removesuffix(AA_SUFFIX)
        return self.errors.setdefault(of_variant, Counter())

    def _failures(self) -> list[str]:
        """Name the most frequent error of every variant that had any."""
        return [
            f"{topic}: variant {variant} had failed requests, most often: {error}"
            for (topic, variant), errors in self.errors.items()
            for error, _ in errors.most_common(1)
        ]

    def disturbed_by(self, topic: Topic, launches: Sequence[int]) -> str:
        """Return the words for what disturbed some launches most often."""
        cause = measurements.mostly(self.measured(), topic.name, launches)
        return f", mostly by {DISTURBANCES[cause]}" if cause in DISTURBANCES else ""

    def comparisons(self, topic: Topic) -> list[Comparison]:
        """Return how a topic's deciding comparisons stand."""
        measured = self.measured()
        found = comparisons.comparisons(self.looks, topic, measured, deciding_only=True)
        return list(found)

    def decided(self, topic: Topic) -> bool:
        """Say whether more launches of a topic could change no verdict."""
        return verdicts.decided(self.looks, topic, self.measured())
