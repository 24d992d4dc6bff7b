"""Compare two single runs: find the ratios that lie beyond the known noise.

A single run is one process. Two processes that run the same code also differ, and one
pair of runs cannot show by how much. So there is no verdict, only a list of tests that
are worth measuring in many launches.
"""

from __future__ import annotations

import math
import posixpath
import shlex
from collections.abc import Sequence
from statistics import median

from assay.analysis.statistics import MAD_TO_DEVIATION
from assay.single_runs import SingleRun, SingleRunsResults, TestRatio
from assay.wording import counted, one_line

# With identical code, 15 to 26 % of tests were more than 5 % slower in one run than in
# another. If logs of ratios are normal, their standard deviation is then 5 to 8 %. The
# usual noise is about twice the larger standard deviation.
USUAL_NOISE = 0.15
FEWEST_RUNS = 10  # from this many earlier runs on, their scatter is the noise
DEVIATIONS = 3  # a ratio within this many standard deviations is noise
LEAST_NOISE = 0.02  # with a coarse timer, all earlier runs can have the same time
MOST_PATHS = 3  # the command names at most this many files or folders


def compare(
    base: SingleRun, head: SingleRun, earlier: Sequence[SingleRun] = ()
) -> SingleRunsResults:
    """Compare two single runs test by test.

    Args:
        base: The first run.
        head: The second run.
        earlier: Runs whose scatter shows the noise. Runs of another machine or Python
            than `head`, exports of Assay, and the two runs themselves are left out.
    """
    fair = _fair(earlier, base, head)
    tests = [
        _ratio(test, base.medians[test], seconds, fair)
        for test, seconds in head.medians.items()
        if test in base.medians
    ]
    tests.sort(key=lambda one: (-abs(math.log(one.ratio)), one.test))
    beyond = [one.test for one in tests if one.beyond]
    left_out = {**base.unusable, **head.unusable}
    differences = tuple(_differences(base, head))
    only_base = _only(base, head, left_out)
    return SingleRunsResults(
        base=base.file,
        head=head.file,
        undecided=bool(beyond or differences or left_out or only_base),
        tests=tuple(tests),
        only_base=only_base,
        only_head=_only(head, base, left_out),
        left_out=left_out,
        differences=differences,
        notes=_notes(base, head, earlier, fair),
        command=_command(base, head, beyond or [one.test for one in tests]),
    )


def _ratio(
    test: str, base: float, head: float, earlier: Sequence[SingleRun]
) -> TestRatio:
    noise, runs = USUAL_NOISE, 0
    logs = [math.log(run.medians[test]) for run in earlier if test in run.medians]
    if len(logs) >= FEWEST_RUNS:
        noise, runs = _scatter(logs), len(logs)
    size = math.log(head) - math.log(base)
    return TestRatio(
        test=test,
        base=base,
        head=head,
        ratio=math.exp(size),
        noise=noise,
        runs=runs,
        beyond=abs(size) > math.log1p(noise),
    )


def _scatter(logs: Sequence[float]) -> float:
    """Return the noise between two runs, as a fraction.

    Only neighbouring runs are compared, so a change of the code affects one difference.
    The median of the differences is taken, so that one difference hardly counts.

    Args:
        logs: Logs of the medians of earlier runs, oldest first.
    """
    steps = [abs(after - before) for before, after in zip(logs, logs[1:], strict=False)]
    return max(LEAST_NOISE, math.expm1(DEVIATIONS * MAD_TO_DEVIATION * median(steps)))


def _fair(
    earlier: Sequence[SingleRun], base: SingleRun, head: SingleRun
) -> list[SingleRun]:
    """Return the earlier runs that are fit to show the noise, oldest first."""
    dated = [
        (run.date, run.file, run)
        for run in earlier
        if run.date
        and not run.launches  # an estimate over launches scatters less
        and (run.machine, run.python) == (head.machine, head.python)
        and not any(
            (run.date, run.medians) == (one.date, one.medians) for one in (base, head)
        )
    ]
    return [run for *_, run in sorted(dated, key=lambda one: one[:2])]


def _differences(base: SingleRun, head: SingleRun) -> list[str]:
    """Return the differences between the machines and Pythons of two runs, in words."""
    before = {**base.machine, "Python": base.python}
    after = {**head.machine, "Python": head.python}
    return [
        f"{name}: {before.get(name) or 'unknown'} and {after.get(name) or 'unknown'}"
        for name in dict.fromkeys([*before, *after])
        if before.get(name) != after.get(name)
    ]


def _only(
    one: SingleRun, other: SingleRun, left_out: dict[str, str]
) -> tuple[str, ...]:
    return tuple(
        test
        for test in one.medians
        if test not in other.medians and test not in left_out
    )


def _notes(
    base: SingleRun,
    head: SingleRun,
    earlier: Sequence[SingleRun],
    fair: Sequence[SingleRun],
) -> tuple[str, ...]:
    notes = []
    if base.commit and base.commit == head.commit and not (base.dirty or head.dirty):
        notes.append(
            f"Both files are of commit {base.commit[:10]}: what differs is noise, or "
            "something else than the code."
        )
    notes += [
        f"{run.file} is the export of a run of Assay, with up to "
        f"{counted(run.launches, 'launch', 'launches')}: that run has the verdict."
        for run in (base, head)
        if run.launches
    ]
    if earlier and len(fair) < FEWEST_RUNS:
        count = counted(len(earlier), "earlier run")
        notes.append(
            f"{len(fair)} of {count} are of this machine and Python; {FEWEST_RUNS} are "
            "needed, so the usual noise is assumed."
        )
    return tuple(notes)


def _command(base: SingleRun, head: SingleRun, tests: Sequence[str]) -> str:
    """Return the command that measures these tests at both commits."""
    refs = ["BASE", "HEAD"]
    if base.commit and not base.dirty and head.commit:
        if head.dirty:
            refs = [base.commit[:10]]  # the other side is the working tree
        elif head.commit != base.commit:
            refs = [base.commit[:10], head.commit[:10]]
    options = [f"--benchmarks {shlex.quote(path)}" for path in _paths(tests)]
    return one_line(" ".join(["assay compare", *refs, *options]))


def _paths(tests: Sequence[str]) -> list[str]:
    """Return the files of some tests; if there are many, their top folders."""
    files = list(dict.fromkeys(test.partition("::")[0] for test in tests))
    if len(files) <= MOST_PATHS:
        return files
    folders = {posixpath.dirname(file).partition("/")[0] for file in files}
    return (
        sorted(folders) if len(folders) <= MOST_PATHS and "" not in folders else ["."]
    )
