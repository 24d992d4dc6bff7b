"""`assay services`: list the databases and caches that are available here."""

from __future__ import annotations

from assay.cli.output import Json, print_table


def services(as_json: Json = False) -> None:
    """List the databases and caches that a scenario can use on this machine."""
    from assay.services import inventory

    print_table([finding.model_dump() for finding in inventory()], as_json)
