"""`assay comment`: write the result of a comparison into a pull request."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer


def comment(
    directory: Annotated[
        Path,
        typer.Argument(
            metavar="RUN",
            help="The run directory; if it has no results, the comment says so.",
        ),
    ],
    exit_code: Annotated[
        int | None,
        typer.Option(help="The exit code of the command that made the run."),
    ] = None,
    pull_request: Annotated[
        int | None,
        typer.Option(
            help="The number of the pull request; from the workflow's event if not "
            "given."
        ),
    ] = None,
    key: Annotated[
        str,
        typer.Option(
            help="A name that tells several comparisons of a pull request apart."
        ),
    ] = "",
    author: Annotated[
        str | None,
        typer.Option(
            help="The account whose comment is updated; the token's account if not "
            "given."
        ),
    ] = None,
    print_only: Annotated[
        bool, typer.Option("--print", help="Print the text, and write no comment.")
    ] = False,
) -> None:
    """Write what a run found into one comment of a pull request on GitHub.

    The comment is updated in place. The command reads GITHUB_TOKEN, and the variables
    that GitHub Actions sets.
    """
    from assay.ci import github, text

    job = None
    if not print_only or os.environ.get("GITHUB_REPOSITORY"):
        job = github.Job.here(os.environ)
    body = text.comment(directory, exit_code, job.link if job else "", key)
    if print_only or job is None:
        typer.echo(body, nl=False)
        return
    client = github.Client(job)
    try:
        number = pull_request or client.pull_request()
        if number is None:
            message = "no open pull request has this commit as its head: nothing to do"
        else:
            message = client.write(number, text.marker(key), body, author)
    except github.NoPermissionError as error:
        message = (
            f"no comment was written: the token has no permission ({error}), as on "
            "pull requests from forks; the summary of the job has the text, and "
            "docs/ci.md says how to comment from workflow_run"
        )
    typer.echo(f"assay: {message}", err=True)
