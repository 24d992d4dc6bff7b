"""Judge the A/A arm: a baseline compared with itself must come out the same."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from assay.analysis import measurements, power, statistics
from assay.analysis.deciding import deciding_metrics
from assay.analysis.looks import Looks
from assay.metrics import METRICS
from assay.plan import AA_SUFFIX, Topic
from assay.results import Control

if TYPE_CHECKING:
    from assay.analysis.measurements import Measurements

# The A/A arm has few launches, so only a clear difference may forbid a verdict.
CONTROL_ALPHA = 0.001


def controls(looks: Looks, topic: Topic, measured: Measurements) -> Iterable[Control]:
    """Yield the ratios of a topic's A/A arms on each metric that has a verdict."""
    from scipy.stats import t

    for baseline in topic.controls():
        # Any pair with this baseline will do: the pair's spread is used for the arm.
        reference_pair = next(p for p in topic.pairs() if p[0] == baseline)
        for metric in METRICS:
            if metric not in deciding_metrics(topic, reference_pair, measured):
                continue
            arm_ratios = measurements.log_ratios(
                measured, topic.name, baseline, baseline + AA_SUFFIX, metric
            )
            pair_ratios = measurements.log_ratios(
                measured, topic.name, *reference_pair, metric
            )
            centre = (
                statistics.hodges_lehmann(arm_ratios) if len(arm_ratios) else math.nan
            )
            if not math.isfinite(centre):
                continue
            failed = False
            if len(pair_ratios) > 2 and abs(centre) > math.log1p(looks.margin):
                # The arm is measured in few launches, the pair in every launch. So the
                # pair's spread is the better estimate of how much launches differ.
                spread = power.spread(pair_ratios)
                limit = float(t.isf(CONTROL_ALPHA / 2, len(pair_ratios) - 1))
                if spread is not None:
                    error = limit * spread / math.sqrt(len(arm_ratios))
                    failed = abs(centre) > error
            yield Control(
                topic=topic.name,
                variant=baseline,
                metric=metric,
                ratio=math.exp(centre),
                launches=len(arm_ratios),
                failed=failed,
            )
