"""The page of the study of suites: suites.md, from runs on public packages."""

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from assay.report.markdown import escape
from assay.wording import duration, percent, quantity
from scripts.studies.pages import markdown_table
from scripts.studies.suites_packages import IDENTICAL, PACKAGES, PLANTED, Package
from scripts.studies.suites_rounds import LIMIT, MIN_SHARE, RIVAL_OPTION, SLOWDOWN

KINDS = (IDENTICAL, PLANTED)
SLOWER, FASTER = "slower", "faster"


@dataclass(frozen=True)
class SuiteRun:
    """The result of one whole run, and of the rival beside it.

    Attributes:
        package: The name of the package.
        kind: `IDENTICAL` or `PLANTED`.
        budget: The time budget of the command, such as ``3m``.
        seconds: Wall-clock time of the command; environments were built before.
        reason: Why it could not be measured; empty if it was.
        verdicts: For each test, Assay's verdict; empty if it has none.
        ratios: For each test, head / base.
        detectable: For each test, the smallest change that the launches would have
            shown.
        left_out: For each test that was not compared, the reason in a word.
        rounds: The rounds of the planted loop.
        base_seconds: The time of the planted benchmark without the loop.
        shares: For each test, the share of its time that the loop adds. Tests that do
            not run the loop have no entry.
        rival_ratios: For each test, head / base as the rival measured it.
        rival_seconds: Wall-clock time of its two runs of the suite.
    """

    package: str
    kind: str
    seed: int
    budget: str
    seconds: float
    reason: str = ""
    verdicts: Mapping[str, str] = field(default_factory=dict)
    ratios: Mapping[str, float] = field(default_factory=dict)
    detectable: Mapping[str, float] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    rounds: int = 0
    base_seconds: float = 0.0
    shares: Mapping[str, float] = field(default_factory=dict)
    rival_ratios: Mapping[str, float] = field(default_factory=dict)
    rival_seconds: float = 0.0

    def called(self, word: str = SLOWER) -> list[str]:
        """Return the tests with this verdict of Assay."""
        return [test for test, verdict in self.verdicts.items() if verdict == word]

    def flagged(self) -> list[str]:
        """Return the tests that the rival says are slower."""
        return [test for test, x in self.rival_ratios.items() if x > 1 + LIMIT]

    def others(self, tests: Iterable[str]) -> list[str]:
        """Return those of the tests that have no entry in `shares`."""
        return [test for test in tests if test not in self.shares]


@dataclass(frozen=True)
class Rule:
    """One of the two rules that judge tests: Assay's rule or the rival's.

    Attributes:
        called: Returns the tests of a run that the rule calls slower.
        judged: Returns the tests of a run that the rule has judged.
    """

    called: Callable[[SuiteRun], Iterable[str]]
    judged: Callable[[SuiteRun], Iterable[str]]


ASSAY = Rule(SuiteRun.called, lambda run: run.verdicts)
RIVAL = Rule(SuiteRun.flagged, lambda run: run.rival_ratios)


def select(
    runs: Iterable[SuiteRun], kind: str, package: Package | None = None
) -> list[SuiteRun]:
    """Return the measured runs of a kind, and of a package if one is given."""
    return [
        run
        for run in runs
        if run.kind == kind
        and not run.reason
        and (package is None or run.package == package.name)
    ]


def false_runs(runs: Sequence[SuiteRun], rule: Rule) -> str:
    """Return in how many runs a rule wrongly calls a test slower."""
    false = sum(bool(run.others(rule.called(run))) for run in runs)
    return f"{false} of {len(runs)}"


def false_tests(runs: Sequence[SuiteRun], rule: Rule) -> str:
    """Return how many tests a rule wrongly calls slower, over all runs."""
    false = sum(len(run.others(rule.called(run))) for run in runs)
    total = sum(len(run.others(rule.judged(run))) for run in runs)
    return f"{false} of {total:,}"


def found(runs: Sequence[SuiteRun], rule: Rule) -> str:
    """Return in how many runs a rule calls the planted benchmark slower."""
    tests = {package.name: package.test for package in PACKAGES}
    number = sum(tests[run.package] in rule.called(run) for run in runs)
    return f"{number} of {len(runs)}"


def identical(runs: Sequence[SuiteRun]) -> str:
    """Return the table of the runs on identical code."""
    rows = []
    for name, part in _parts(runs, IDENTICAL):
        faster = sum(len(run.called(FASTER)) for run in part)
        row = [name, str(len(part)), _tests(part)]
        for rule in (ASSAY, RIVAL):
            row += [false_runs(part, rule), false_tests(part, rule)]
        rows.append([*row, str(faster), *_times(part)])
    header = ["package", "runs", "tests"]
    header += ["Assay: runs with a test called slower", "tests called slower"]
    header += ["pytest-benchmark: runs with a test called slower"]
    header += ["tests called slower", "Assay: tests called faster"]
    return markdown_table([*header, *_TIMES], rows)


def planted(runs: Sequence[SuiteRun]) -> str:
    """Return the table of the runs with a slower function."""
    rows = []
    for name, part in _parts(runs, PLANTED):
        row = [name, str(len(part)), _tests(part)]
        for rule in (ASSAY, RIVAL):
            row += [found(part, rule), false_tests(part, rule)]
        rows.append([*row, *_times(part)])
    header = ["package", "runs", "tests"]
    header += ["Assay: planted called slower", "others called slower"]
    header += ["pytest-benchmark: planted called slower", "others called slower"]
    return markdown_table([*header, *_TIMES], rows)


def slow_downs(runs: Sequence[SuiteRun]) -> str:
    """Return the table of the planted slow-downs, with their measured sizes."""
    rows = []
    for package in PACKAGES:
        if not (part := select(runs, PLANTED, package)):
            continue
        last = part[-1]
        others = [x for test, x in last.shares.items() if test != package.test]
        rows.append(
            [
                *(package.full_name, f"`{package.function}`", f"`{package.test}`"),
                *(quantity(last.base_seconds, "s"), f"{last.rounds:,}"),
                _change(run.ratios.get(package.test) for run in part),
                _change(run.rival_ratios.get(package.test) for run in part),
                f"{len(others)}: {_range(others)}" if others else "none",
            ]
        )
    header = ["package", "function", "benchmark", "its time", "rounds of the loop"]
    header += ["Assay measured", "pytest-benchmark measured"]
    return markdown_table([*header, "other tests that run it"], rows)


def false_calls(runs: Sequence[SuiteRun]) -> str:
    """Return the table of the tests that Assay wrongly called slower."""
    rows = [
        [run.package, run.kind, str(run.seed), escape(test), f"{run.ratios[test]:.3f}"]
        for kind in KINDS
        for run in select(runs, kind)
        for test in run.others(run.called())
    ]
    return markdown_table(["package", "code", "seed", "test", "ratio"], rows)


def not_measured(runs: Sequence[SuiteRun]) -> str:
    """Return the table of the runs that could not be measured."""
    rows = [
        [run.package, run.kind, str(run.seed), escape(run.reason[:300])]
        for run in runs
        if run.reason
    ]
    return markdown_table(["package", "code", "seed", "reason"], rows)


def summary(runs: Sequence[SuiteRun]) -> str:
    """Return the paragraph with the most important numbers."""
    same, slower = select(runs, IDENTICAL), select(runs, PLANTED)
    sentences = []
    if same:
        sentences.append(
            f"On identical code Assay called a test slower in {false_runs(same, ASSAY)}"
            f" runs, and pytest-benchmark in {false_runs(same, RIVAL)}."
        )
    if slower:
        sentences.append(
            f"A benchmark that was made {percent(SLOWDOWN)} slower was called slower "
            f"by Assay in {found(slower, ASSAY)} runs, and by pytest-benchmark in "
            f"{found(slower, RIVAL)}."
        )
    return " ".join(sentences) or "Nothing was measured."


def page(runs: Sequence[SuiteRun], budget: str, machines: Sequence[str]) -> str:
    """Return the page.

    Args:
        runs: The runs; there may be none.
        budget: The time budget of the command.
        machines: The machines that measured.
    """
    names = ", ".join(package.full_name for package in PACKAGES)
    wrong = any(run.others(run.called()) for x in KINDS for run in select(runs, x))
    parts = [
        "# The benchmarks of public packages",
        summary(runs),
        _METHOD.format(budget=budget, names=names),
        "## Identical code",
        "HEAD has one more line in its readme.",
        identical(runs),
        "## One slower function",
        _PLANTED,
        planted(runs),
        "What was planted:",
        slow_downs(runs),
        "## Tests that Assay called slower, and are not",
        false_calls(runs) if wrong else "None.",
        "## Runs that could not be measured",
        not_measured(runs) if any(run.reason for run in runs) else "None.",
        "## How to repeat it",
        f"Measured on {' and '.join(machines) or 'an unknown machine'}.",
        "```console\n$ ./scripts/study_suites --page\n```",
    ]
    return "\n\n".join(parts) + "\n"


_METHOD = f"""\
The benchmarks come unchanged from the source distributions of {{names}}. They run in
environments that Assay builds from the packages' own files.

A run of Assay is the whole command `assay compare base HEAD --benchmarks PATH --budget
{{budget}} --no-profiles`. The environments were built before; their time is not
counted. Beside each run, pytest-benchmark ran the same suite in the same environments
with the project's own options: on the base with `--benchmark-json`, then on HEAD with
`--benchmark-compare` and `{RIVAL_OPTION}`. The time of both is
that of one comparison. A file of cattrs is left out: it needs msgspec, which those
environments lack.

The detectable change is the smallest one that Assay's launches would have shown. The
tables have its median over tests and runs."""
_PLANTED = f"""\
In HEAD one function of each package begins with a loop that does nothing. The loop adds
{percent(SLOWDOWN)} to the time of one benchmark, the *planted* one. To find how many
rounds the loop needs, the suite ran several times in the package's own environment, in
turn without a loop and with a loop of a known number of rounds. The time that this loop
added to the benchmark gives the rounds. The time that it added to the other tests says
which of them run the function, too. *Others* are the tests to which the planted loop
adds less than {percent(MIN_SHARE)}: to call one of them slower is wrong."""
_TIMES = ("Assay: median time", "pytest-benchmark: median time", "detectable change")


def _parts(runs: Sequence[SuiteRun], kind: str) -> Iterable[tuple[str, list[SuiteRun]]]:
    """Yield the name and the runs of each package; then ``all`` with all runs."""
    for package in PACKAGES:
        if part := select(runs, kind, package):
            yield package.full_name, part
    if part := select(runs, kind):
        yield "all", part


def _tests(runs: Sequence[SuiteRun]) -> str:
    """Return how many tests the last run of each package compares and leaves out."""
    last = {run.package: run for run in runs}.values()
    left_out = sum(len(run.left_out) for run in last)
    compared = str(sum(len(run.verdicts) for run in last))
    return f"{compared} ({left_out} left out)" if left_out else compared


def _times(runs: Sequence[SuiteRun]) -> list[str]:
    """Return the median times of a comparison, and the median detectable change."""
    shown = [x for run in runs for x in run.detectable.values()]
    return [
        duration(statistics.median(run.seconds for run in runs)),
        duration(statistics.median(run.rival_seconds for run in runs)),
        percent(statistics.median(shown)) if shown else "–",
    ]


def _change(ratios: Iterable[float | None]) -> str:
    """Return the median change of some ratios: ``+10.2 %``."""
    measured = [x for x in ratios if x is not None]
    return f"{100 * (statistics.median(measured) - 1):+.1f} %" if measured else "–"


def _range(shares: Sequence[float]) -> str:
    return f"+{percent(min(shares))} to +{percent(max(shares))}"
