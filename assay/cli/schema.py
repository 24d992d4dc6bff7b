"""`assay schema`: the JSON Schema of claims.toml, for editors."""

from __future__ import annotations

import json

import typer


def schema() -> None:
    """Print the JSON Schema of claims.toml.

    Editors that know TOML complete and check a file whose first line is
    `#:schema FILE`, where FILE holds what this prints.
    """
    from assay.inputs.schema import ClaimsFile

    typer.echo(json.dumps(ClaimsFile.model_json_schema(), indent=1))
