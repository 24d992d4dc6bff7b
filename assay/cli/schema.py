"""`assay schema`: the JSON Schema of claims.toml, for editors."""

from __future__ import annotations

import json

import typer


def schema() -> None:
    """Print the JSON Schema of claims.toml.

    Save the output as FILE and make `#:schema FILE` the first line of a claims.toml:
    an editor that supports TOML schemas then completes and checks that file.
    """
    from assay.inputs.schema import ClaimsFile

    typer.echo(json.dumps(ClaimsFile.model_json_schema(), indent=1))
