"""`assay compare`: is HEAD slower than BASE, and why?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from assay.cli import run as run_command
from assay.cli.commit_options import (
    Benchmarks,
    BuildCommand,
    Only,
    PythonVersion,
    Topics,
    VariantName,
    seconds_of,
)
from assay.cli.output import (
    HOLD,
    NOT_MEASURED,
    UNDECIDED,
    AllowHost,
    Json,
    command_line,
    line_printer,
    open_console,
)
from assay.cli.run import Margin, Output, Profiles, Seed
from assay.errors import InputError

if TYPE_CHECKING:
    from assay.plan import Plan
    from assay.results import Results
    from assay.subject.environments import Recipe
    from assay.subject.questions import Question
    from assay.subject.sides import Sides


def compare(
    base: Annotated[
        str | None,
        typer.Argument(
            help="A commit, branch or tag; if not given, the commit at which the work "
            "on HEAD left the default branch. Or a file of pytest --benchmark-json; "
            "HEAD is then another such file."
        ),
    ] = None,
    head: Annotated[
        str | None,
        typer.Argument(
            help="A commit, branch or tag; if not given, the working tree with its "
            "uncommitted changes."
        ),
    ] = None,
    topic: Topics = None,
    benchmarks: Benchmarks = None,
    url: Annotated[
        list[str] | None,
        typer.Option(help="A server that runs already; give two, BASE first."),
    ] = None,
    budget: Annotated[
        str | None,
        typer.Option(
            help="The time for all measuring, such as 5m, without the time of builds. "
            "300 seconds for each topic if not given."
        ),
    ] = None,
    margin: Margin = None,
    only: Only = None,
    variant: VariantName = "",
    undecided: Annotated[
        Literal["fail", "pass"],
        typer.Option(help="Whether an undecided comparison fails, with exit code 3."),
    ] = "fail",
    python: PythonVersion = None,
    build: BuildCommand = None,
    history: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="For two files: a folder of earlier files of pytest-benchmark, such "
            "as .benchmarks, whose scatter shows the noise.",
        ),
    ] = None,
    output: Output = None,
    seed: Seed = None,
    profiles: Profiles = None,
    allow_host: AllowHost = None,
    as_json: Json = False,
) -> None:
    """Compare two commits, by load or by benchmarks: is HEAD slower, and why?

    Two files of pytest-benchmark are compared test by test instead. This shows which
    tests are worth measuring, and decides nothing.
    """
    import secrets

    from assay.cli import compare_files
    from assay.inputs import loader
    from assay.subject import comparison
    from assay.subject.environments import Recipe
    from assay.subject.questions import Question

    given = {
        **{"--topic": topic, "--benchmarks": benchmarks, "--url": url},
        **{"--budget": budget, "--margin": margin, "--only": only},
        **{"--variant": variant, "--python": python, "--build": build},
        **{"--output": output, "--seed": seed, "--profiles": profiles},
        "--history": history,
    }
    is_about_files = compare_files.is_asked(base, head)
    compare_files.check_options(is_about_files, given)
    if is_about_files:
        code = compare_files.compare_files(base, head, history, as_json)
        raise typer.Exit(HOLD if undecided == "pass" else code)
    seed = secrets.randbelow(2**32) if seed is None else seed
    question = Question(
        tuple(topic or ()), tuple(benchmarks or ()), variant, tuple(only or ())
    )
    seconds = seconds_of(budget)
    options = {
        "seed": seed,
        "margin": margin,
        "profile": profiles,
        "allow_hosts": tuple(allow_host) if allow_host else None,
    }
    settings = {name: value for name, value in options.items() if value is not None}
    ask = _Ask(question, settings, command_line(seed), Path.cwd())
    plan, sides = (
        ask.about_urls(url)
        if url
        else ask.about_commits(base, head, Recipe(python=python, build=build))
    )
    plan = comparison.with_budget(plan, seconds)
    plan = loader.with_gating(plan, undecided=undecided)
    _measure(plan, sides, output, seconds, as_json)


class _Ask:
    """Turns the question of the command line into a plan."""

    def __init__(
        self, question: Question, settings: Mapping[str, Any], command: str, here: Path
    ) -> None:
        """Check the question.

        Raises:
            InputError: A metric does not exist.
        """
        from assay.subject import questions

        questions.check(question)
        self.question, self.settings = question, settings
        self.command, self.here = command, here
        self.note: Callable[[str], None] = line_printer(open_console(stderr=True))

    def about_urls(self, urls: Sequence[str]) -> tuple[Plan, None]:
        """Return the plan that compares two running servers, and None for the sides.

        Raises:
            InputError: There are not two URLs, there is no topic with a locustfile, or
                a file has problems.
        """
        from assay.subject import questions

        if len(urls) != 2:
            raise InputError(
                f"--url: expected two, such as --url http://127.0.0.1:8000 --url "
                f"http://127.0.0.1:8001, and not {len(urls)}"
            )
        plan = questions.of_urls(
            urls, self.question, self.settings, self.command, self.here, self.note
        )
        return plan, None

    def about_commits(
        self, base: str | None, head: str | None, recipe: Recipe
    ) -> tuple[Plan, Sides]:
        """Return the plan that compares two commits, and both sides.

        Raises:
            InputError: A commit does not exist, there is nothing to measure, or a file
                has problems.
            MeasureError: An environment cannot be built.
        """
        from assay.subject import questions, sides

        both = sides.both(self.here, base, head, recipe, self.note)
        plan = questions.plan_of(
            both, self.question, self.settings, self.command, self.note
        )
        return plan, both


def _measure(
    plan: Plan,
    sides: Sides | None,
    output: Path | None,
    seconds: float | None,
    as_json: bool,
) -> None:
    """Measure, measure again what is slower, report, and exit.

    Raises:
        typer.Exit: Always, with the exit code.
        AssayError: The run ended early; what was measured is reported.
    """
    from assay.subject import comparison

    name = f"{datetime.now():%Y-%m-%dT%H-%M-%S}-compare"
    directory = run_command.create_run(plan, output or Path.cwd() / "reports" / name)
    # The run must not become part of the next snapshot of the working tree.
    directory.write_text(".gitignore", "*\n")
    check = [comparison.file_check(sides)] if sides else []
    measure = comparison.measuring(seconds, *check)
    results = run_command.measure_and_report(plan, directory, as_json, measure)
    raise typer.Exit(_exit_code(directory.plan(), results))


def _exit_code(plan: Plan, results: Results) -> int:
    """Return the exit code; it is never 0 if a pair of the plan was not measured."""
    from assay.subject import comparison

    code = run_command.exit_code(results)
    if code in (HOLD, UNDECIDED) and not comparison.is_measured(plan, results):
        return NOT_MEASURED
    if code == HOLD and any(topic.scenario.broken_tests for topic in plan.topics):
        code = UNDECIDED  # a gate must not stay green because a file is broken
    if code == UNDECIDED and plan.gating.undecided == "pass":
        return HOLD
    return code
