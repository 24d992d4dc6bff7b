"""`assay services`: the databases and caches that can be had here."""

from __future__ import annotations

from assay.cli.output import Json, table


def services(as_json: Json = False) -> None:
    """List the databases and caches that a scenario can have here."""
    from assay import services as found

    table([finding.model_dump() for finding in found.inventory()], as_json)
