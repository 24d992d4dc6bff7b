"""`assay history`: show many runs as series over time, with their changes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assay.cli.output import (
    Json,
    command_line,
    open_console,
    print_table_or_json,
    print_written,
)
from assay.errors import InputError

if TYPE_CHECKING:
    from assay.history_results import HistoryResults

PAGE = "history.html"


def history(
    folders: Annotated[
        list[str],
        typer.Argument(
            metavar="DIR...",
            help="Folders with runs in or below them, or URLs of such folders "
            "(s3://bucket/runs), which need fsspec.",
        ),
    ],
    output: Annotated[
        Path, typer.Option(help="The page, or a folder that it is written to.")
    ] = Path("reports", PAGE),
    as_json: Json = False,
) -> None:
    """Show the numbers of many runs over time, and the commits that changed them.

    Each number is a series: one for each topic, test, variant, metric, machine and
    method. Series with fewer than 10 runs are shown, but not searched for changes.
    """
    from assay.history.build import build
    from assay.history.collect import collect
    from assay.report import history_table

    records, skipped = collect(folders)
    results = build(records, skipped)
    print_written([_write(results, output)])
    print_table_or_json(
        results, as_json, lambda: history_table.render(results, open_console())
    )


def _write(results: HistoryResults, output: Path) -> Path:
    """Write the page and return its path.

    Raises:
        InputError: The page cannot be written.
    """
    from assay.report import history_page

    path = output / PAGE if output.is_dir() else output
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(history_page.render(results, command_line()), encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"--output {output}: cannot be written: {error.strerror}; name a file in a "
            "folder that you may write to"
        ) from error
    return path
