"""`assay bisect`: find the commit that made something slower."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

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
    REFUTED,
    UNDECIDED,
    Json,
    line_printer,
    open_console,
    print_table_or_json,
    print_written,
)
from assay.cli.run import Margin, Output, Profiles, Seed, open_progress
from assay.errors import InputError
from assay.system import interrupts, redaction

if TYPE_CHECKING:
    from assay.bisection.record import Record
    from assay.bisection.search import Search
    from assay.bisection_results import Bisection, Request
    from assay.experiment.progress import Progress
    from assay.plan import Plan
    from assay.subject.ancestry import Link
    from assay.subject.environments import Recipe
    from assay.subject.questions import Question

PAGE = "bisect.html"
SHORT = 12  # characters of a commit's name
EXIT_CODES = {"found": REFUTED, "no change": HOLD, "unsure": UNDECIDED}


def bisect(
    good: Annotated[
        str, typer.Argument(help="A commit, branch or tag that is still fast.")
    ],
    bad: Annotated[
        str, typer.Argument(help="A commit, branch or tag that is slow.")
    ] = "HEAD",
    topic: Topics = None,
    benchmarks: Benchmarks = None,
    only: Only = None,
    variant: VariantName = "",
    margin: Margin = None,
    budget: Annotated[
        str | None,
        typer.Option(
            help="The time, such as 5m, for the comparison of GOOD and BAD, and for "
            "that of the commit that is found and the commit before it."
        ),
    ] = None,
    python: PythonVersion = None,
    build: BuildCommand = None,
    output: Output = None,
    seed: Seed = None,
    profiles: Profiles = None,
    as_json: Json = False,
) -> None:
    """Find the commit that made something slower.

    GOOD and BAD are compared first. If BAD is slower, each step measures one commit
    against GOOD, and the commit that is found is compared with the commit before it.
    Only first parents are followed. To continue a search that was stopped, give the
    same --output.
    """
    import secrets

    from assay.bisection.measurer import CommitMeasurer
    from assay.bisection.record import Record
    from assay.bisection.search import Search
    from assay.bisection_results import Bisection
    from assay.subject.environments import Recipe
    from assay.subject.questions import Question, check

    question = Question(
        tuple(topic or ()), tuple(benchmarks or ()), variant, tuple(only or ())
    )
    check(question)
    here, seconds = Path.cwd(), seconds_of(budget)
    recipe = Recipe(python=python, build=build)
    request, links = _asked(here, good, bad, question, recipe, margin)
    name = f"{datetime.now():%Y-%m-%dT%H-%M-%S}-bisect"
    record = Record((output or here / "reports" / name).absolute())
    more = ["--budget", budget] if budget else []
    more += [] if profiles is None else [f"--{'' if profiles else 'no-'}profiles"]
    note = line_printer(open_console(stderr=True))
    state = record.earlier(request)
    if state is None:
        record.create()
        seed = secrets.randbelow(2**32) if seed is None else seed
        state = Bisection(
            command=_command(request, seed, record.path, more),
            seed=seed,
            request=request,
            good=good,
            bad=bad,
        )
        record.write(state)
    else:
        state = _resumed(state, seed, record.path, more, note)
    settings = {"seed": state.seed, "margin": margin, "profile": profiles}
    measurer = CommitMeasurer(
        here=here,
        good=request.good,
        bad=request.bad,
        links=links,
        question=question,
        recipe=recipe,
        settings={key: value for key, value in settings.items() if value is not None},
        command=state.command,
        folder=record.path,
        seconds=seconds,
        show=_progress,
        note=note,
        steps=len(state.steps),
        checks=len(state.checks),
    )
    state = _run(Search(state, measurer, record.write, note), record)
    _report(state, record, as_json)
    raise typer.Exit(EXIT_CODES.get(state.outcome, NOT_MEASURED))


def _asked(
    here: Path,
    good: str,
    bad: str,
    question: Question,
    recipe: Recipe,
    margin: float | None,
) -> tuple[Request, list[Link]]:
    """Return the request, with full names of commits, and the commits after GOOD.

    Raises:
        InputError: There is no such commit, GOOD is no ancestor of BAD, or both are the
            same commit.
    """
    from assay.bisection_results import Request
    from assay.subject import ancestry
    from assay.subject.repository import Repository

    repository = Repository.find(here)
    fast, slow = repository.commit(good), repository.commit(bad)
    links = ancestry.chain(repository, fast, slow)
    if not links:
        raise InputError(
            f"{good} and {bad} are the same commit: expected an older commit as GOOD"
        )
    request = Request(
        good=fast.sha,
        bad=slow.sha,
        topics=question.topics,
        benchmarks=question.benchmarks,
        only=question.only,
        variant=question.variant,
        margin=margin,
        python=recipe.python,
        build=redaction.command(recipe.build) if recipe.build else None,
    )
    return request, links


def _command(request: Request, seed: int, folder: Path, more: Sequence[str]) -> str:
    """Return the command that continues a search.

    The command names both commits by hash, because branches and HEAD can move in the
    meantime.

    Args:
        request: What the user asked for.
        seed: Seed of every random choice.
        folder: The folder of the search.
        more: Options that are not part of the request.
    """
    words = ["assay", "bisect", request.good[:SHORT], request.bad[:SHORT]]
    words += [word for topic in request.topics for word in ("--topic", topic)]
    words += [word for path in request.benchmarks for word in ("--benchmarks", path)]
    words += [word for metric in request.only for word in ("--only", metric)]
    for name in ("variant", "margin", "python", "build"):
        value = getattr(request, name)
        words += [f"--{name}", str(value)] if value else []
    words += [*more, "--seed", str(seed), "--output", str(folder)]
    return shlex.join(redaction.arguments(words))


def _resumed(
    state: Bisection,
    seed: int | None,
    folder: Path,
    more: Sequence[str],
    note: Callable[[str], None],
) -> Bisection:
    """Return an earlier search, ready to go on; the options in `more` may be new.

    Args:
        state: The earlier search.
        seed: The seed that the user gives now; None if none.
        folder: The folder of the search.
        more: Options that are not part of the request.
        note: Called with a line if the seed is another one.
    """
    if seed not in (None, state.seed):
        note(
            f"--seed {seed} is ignored: this search was begun with --seed {state.seed} "
            "and goes on with it; to search with another seed, name another --output"
        )
    if state.outcome != "partial":
        return state
    command = _command(state.request, state.seed, folder, more)
    return state.model_copy(update={"command": command})


def _run(search: Search, record: Record) -> Bisection:
    """Run a search; if it ends early, print the command that continues it.

    Raises:
        typer.Exit: Ctrl-C stopped the search.
        AssayError: The search ended early.
    """
    try:
        return search.run()
    except (KeyboardInterrupt, Exception) as error:
        if interrupts.interrupted(error):
            _say_how_to_go_on(search, f"stopped by {interrupts.cause(error)}")
            raise typer.Exit(NOT_MEASURED) from error
        _say_how_to_go_on(search, "the search ended early")
        raise


def _say_how_to_go_on(search: Search, why: str) -> None:
    command = search.state.command
    hidden = f" ({redaction.HIDDEN} stands for a secret)"
    print_line = line_printer(open_console(stderr=True))
    note = hidden if redaction.HIDDEN in command else ""
    print_line(f"{why}; to go on, type: {command}{note}")


def _progress(plan: Plan) -> AbstractContextManager[Progress]:
    screen = open_progress(plan, open_console(stderr=True))
    return cast("AbstractContextManager[Progress]", screen)


def _report(state: Bisection, record: Record, as_json: bool) -> None:
    """Write the page, and print the table or JSON."""
    from assay.report import bisect_page, bisect_table
    from assay.run_directory.directory import without_secrets

    state = without_secrets(state)
    page = record.path / PAGE
    page.write_text(bisect_page.render(state), encoding="utf-8")
    print_written([page])
    print_table_or_json(
        state, as_json, lambda: bisect_table.render(state, open_console())
    )
