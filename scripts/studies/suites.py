"""Which benchmarks of public packages do Assay and its rival call slower?

The packages are measured with identical code, and with one function made slower. Each
run is the whole command `assay compare`, in rounds over the packages. The rival is
pytest-benchmark's own comparison of the same suite. Finished runs are stored, so the
study can be stopped and continued.
"""

import argparse
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from assay.plan import Topic
from assay.results import Results
from assay.run_directory.run import RunDirectory
from scripts.studies import storage, suites_page, suites_rounds
from scripts.studies.pages import publish
from scripts.studies.storage import append_row, read_rows
from scripts.studies.suites_packages import (
    BASE,
    IDENTICAL,
    PACKAGES,
    PLANTED,
    Package,
    repository,
)
from scripts.studies.suites_page import KINDS, SuiteRun
from scripts.studies.suites_rounds import Planted

MEASURED = (0, 1, 3)  # exit codes of a run that was measured
PAGE = Path("reports/reference/suites.md")
PUBLISHED = PAGE.with_suffix(".jsonl")  # the runs that the page is made from


@dataclass(frozen=True)
class Job:
    """One run of the study, done or not."""

    package: Package
    kind: str
    seed: int

    @property
    def name(self) -> str:
        """A name for its folder and for messages."""
        return f"{self.package.name}-{self.kind}-{self.seed:02d}"


@dataclass
class Workshop:
    """Prepares the packages, each when it is first needed.

    Attributes:
        output: The study's folder.
        budget: The time budget of the command.
    """

    output: Path
    budget: str

    def __post_init__(self) -> None:
        """Begin with nothing prepared."""
        self._planted: dict[str, Planted] = {}
        self._topics: dict[tuple[str, str], Topic] = {}

    def place(self, package: Package) -> Path:
        """Return the repository of a package."""
        return repository(package, self.output / "packages")

    def planted(self, package: Package) -> Planted:
        """Return the slow-down of a package, and add its commit if it is missing."""
        if package.name not in self._planted:
            slow_down = suites_rounds.planted(package, self.place(package), self.output)
            self._planted[package.name] = slow_down
        return self._planted[package.name]

    def topic(self, job: Job) -> Topic:
        """Return the topic of a run, and build its environments if they are missing."""
        key = (job.package.name, job.kind)
        if key not in self._topics:
            place = self.place(job.package)
            self._topics[key] = suites_rounds.topic_of(job.package, place, job.kind)
        return self._topics[key]


def jobs(packages: Sequence[Package], runs: Mapping[str, int]) -> list[Job]:
    """Return all runs, in rounds.

    A round has a run of every package with identical code, and then one run with a
    slower function, for which the packages take turns.

    Args:
        packages: The packages that are measured.
        runs: For each kind, the number of runs: for `IDENTICAL` the number of each
            package, for `PLANTED` the number of all packages together.
    """
    jobs = []
    for seed in range(max(runs.values(), default=0)):
        if seed < runs.get(IDENTICAL, 0):
            jobs += [Job(package, IDENTICAL, seed) for package in packages]
        if seed < runs.get(PLANTED, 0):
            jobs.append(Job(packages[seed % len(packages)], PLANTED, seed))
    return jobs


def missing(wanted: Sequence[Job], runs: Sequence[SuiteRun]) -> list[Job]:
    """Return the runs that are not stored."""
    finished = {(run.package, run.kind, run.seed) for run in runs}
    return [
        job for job in wanted if (job.package.name, job.kind, job.seed) not in finished
    ]


def measure(workshop: Workshop, wanted: Sequence[Job]) -> None:
    """Do the runs that are missing.

    Raises:
        SystemExit: Two runs in a row could not be measured.
    """
    output, failed = workshop.output, False
    for job in missing(wanted, read(output, workshop.budget)):
        storage.note_machine(output, "suites")
        run = run_both(job, workshop)
        append_row(output / "runs.jsonl", asdict(run))
        print(f"{job.name}: {told(run)}")
        if failed and run.reason:
            sys.exit("two runs in a row could not be measured; see above")
        failed = bool(run.reason)


def told(run: SuiteRun) -> str:
    """Return the result of a run in one line."""
    if run.reason:
        return f"not measured ({run.reason})"
    return (
        f"{len(run.called())} of {len(run.verdicts)} slower, {run.seconds} s; "
        f"pytest-benchmark {len(run.flagged())} of {len(run.rival_ratios)}, "
        f"{run.rival_seconds} s"
    )


def run_both(job: Job, workshop: Workshop) -> SuiteRun:
    """Run the command once, and the rival after it."""
    planted = workshop.planted(job.package) if job.kind == PLANTED else None
    topic = workshop.topic(job)
    run = run_once(job, workshop)
    folder = workshop.output.resolve() / "scratch" / f"{job.name}-rival"
    rival = suites_rounds.compare_by_rival(topic, folder)
    run = replace(
        run,
        rival_ratios=rival.ratios,
        rival_seconds=rival.seconds,
    )
    if planted is None:
        return run
    return replace(
        run,
        rounds=planted.rounds,
        base_seconds=planted.seconds,
        shares=planted.shares,
    )


def run_once(job: Job, workshop: Workshop) -> SuiteRun:
    """Run the command once, and time the whole command."""
    path = (workshop.output / "runs" / f"{job.name}-{workshop.budget}").resolve()
    if path.exists():
        shutil.rmtree(path)  # what an interrupted run left
    command = [sys.executable, "-m", "assay", "compare", BASE, job.kind]
    for benchmark in job.package.benchmarks:
        command += ["--benchmarks", benchmark]
    command += ["--budget", workshop.budget, "--seed", str(job.seed)]
    command += ["--no-profiles", "--json"]
    command += ["--build", job.package.build] if job.package.build else []
    began = time.monotonic()
    ended = subprocess.run(
        [*command, "--output", str(path)],
        cwd=workshop.place(job.package),
        capture_output=True,
        text=True,
    )
    seconds = round(time.monotonic() - began, 1)
    run = SuiteRun(job.package.name, job.kind, job.seed, workshop.budget, seconds)
    if ended.returncode not in MEASURED:
        last_words = ended.stderr.strip()[-500:]
        return replace(run, reason=f"exit code {ended.returncode}: {last_words}")
    return with_results(run, RunDirectory.open(path).results())


def with_results(run: SuiteRun, results: Results) -> SuiteRun:
    """Return a run with Assay's results on each test."""
    compared = [item for item in results.comparisons if item.test]
    return replace(
        run,
        verdicts={item.test: item.verdict or "" for item in compared},
        ratios={x.test: round(x.ratio, 5) for x in compared if x.ratio is not None},
        detectable={
            x.test: round(x.detectable, 5) for x in compared if x.detectable is not None
        },
        left_out={item.test: item.kind for item in results.left_out},
    )


def read(output: Path, budget: str) -> list[SuiteRun]:
    """Return the stored runs with a budget."""
    rows = read_rows(output / "runs.jsonl")
    return [SuiteRun(**row) for row in rows if row["budget"] == budget]


def continue_published(output: Path) -> None:
    """Start with the published runs, if nothing was measured here yet."""
    if not (output / "runs.jsonl").exists() and PUBLISHED.exists():
        output.mkdir(parents=True, exist_ok=True)
        shutil.copy(PUBLISHED, output / "runs.jsonl")


def select_packages(text: str) -> list[Package]:
    """Return the packages that a text names, separated by commas; all if it is empty.

    Raises:
        SystemExit: There is no such package.
    """
    by_name = {package.name: package for package in PACKAGES}
    return [by_name[name] for name in _names(text, list(by_name), "--packages")]


def _names(text: str, known: Sequence[str], option: str) -> list[str]:
    names = text.split(",") if text else list(known)
    if unknown := [name for name in names if name not in known]:
        sys.exit(f"{option} {unknown[0]!r}: expected some of {', '.join(known)}")
    return names


def options_of(words: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--runs", type=int, default=7, help="runs of each package, identical code")
    add("--planted-runs", type=int, default=10, help="with a slower function, in all")
    add("--packages", default="", help="only these, separated by commas")
    add("--kinds", default="", help=f"only these: {', '.join(KINDS)}")
    add("--budget", default="3m", help="the time budget of each run")
    add("--output", type=Path, default=Path("reports/study-suites"))
    add("--fresh", action="store_true", help="do not continue the published runs")
    add("--page", type=Path, nargs="?", const=PAGE, help=f"write {PAGE}")
    return parser.parse_args(words)


def main() -> None:
    """Measure what is missing, print the page, and write it if asked to."""
    options = options_of()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    packages = select_packages(options.packages)
    numbers = {IDENTICAL: options.runs, PLANTED: options.planted_runs}
    kinds = _names(options.kinds, KINDS, "--kinds")
    if not options.fresh:
        continue_published(options.output)
    workshop = Workshop(options.output, options.budget)
    measure(workshop, jobs(packages, {kind: numbers[kind] for kind in kinds}))
    machines = storage.machines(options.output, "suites")
    runs = read(options.output, options.budget)
    publish(suites_page.page(runs, options.budget, machines), options.page)
    if options.page:
        shutil.copy(options.output / "runs.jsonl", options.page.with_suffix(".jsonl"))


if __name__ == "__main__":
    main()
