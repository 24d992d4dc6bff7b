"""The A/A arm: a baseline against itself, which must be the same."""

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

# The A/A arm has few launches: it must be clearly wrong before it forbids a verdict.
CONTROL_ALPHA = 0.001


def controls(looks: Looks, topic: Topic, measured: Measurements) -> Iterable[Control]:
    """Judge the A/A arm of a topic on each metric that decides something."""
    from scipy.stats import t

    for baseline in topic.controls():
        pair = next(p for p in topic.pairs() if p[0] == baseline)
        for metric in METRICS:
            if metric not in deciding_metrics(topic, pair, measured):
                continue
            arm_ratios = measurements.log_ratios(
                measured, topic.name, baseline, baseline + AA_SUFFIX, metric
            )
            pair_ratios = measurements.log_ratios(measured, topic.name, *pair, metric)
            centre = (
                statistics.hodges_lehmann(arm_ratios) if len(arm_ratios) else math.nan
            )
            if not math.isfinite(centre):
                continue
            failed = False
            if len(pair_ratios) > 2 and abs(centre) > math.log1p(looks.margin):
                # The arm has few launches. The pair was measured in every launch: its
                # spread is the better estimate of how much launches differ.
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
