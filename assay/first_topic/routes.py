"""Make an OpenAPI document from the URL map of a Flask app that has none."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from assay.first_topic.openapi.document import Document, read_json
from assay.first_topic.servers import Served
from assay.system import processes

# Runs in the interpreter of the service: Assay itself never imports the app.
_LIST_PROGRAM = """
import json, sys
from flask.cli import ScriptInfo
app = ScriptInfo(app_import_path=sys.argv[1]).load_app()
rules = [
    [rule.rule, sorted(rule.methods or ()), rule.endpoint, str(rule.subdomain or "")]
    for rule in app.url_map.iter_rules()
    if not rule.build_only and not rule.websocket
]
with open(sys.argv[2], "w", encoding="utf-8") as file:
    json.dump(rules, file)
"""
LIST_SECONDS = 60.0
# A variable part of a rule: <name>, <int:name> or <any(a, b):name>.
_PART = re.compile(
    r"<(?:(?P<converter>[^<>:(]+)(?:\((?P<arguments>[^()]*)\))?:)?(?P<name>\w+)>"
)
_SCHEMAS: Mapping[str, Mapping[str, Any]] = {
    "int": {"type": "integer", "minimum": 1},
    "float": {"type": "number"},
    "uuid": {"type": "string", "format": "uuid"},
}
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def of_flask(
    served: Served, spec: str, folder: Path, env: Mapping[str, str], scratch: Path
) -> Document | None:
    """Return the routes of a Flask app as an OpenAPI document.

    Args:
        served: How the app is served.
        spec: The app, as ``module:name``.
        folder: The working directory of the service.
        env: The environment of the service.
        scratch: A temporary folder.

    Returns:
        The document; None if the app cannot be loaded, or has no routes.
    """
    listed = scratch / "routes.json"
    child = processes.start(
        "the list of routes",
        [os.fspath(served.interpreter.path), "-c", _LIST_PROGRAM, spec, str(listed)],
        log=scratch / "routes.log",
        cwd=folder,
        env=dict(env),
    )
    try:
        child.wait(LIST_SECONDS)
    finally:
        child.stop()
    try:
        rules = read_json(listed.read_bytes())
    except (OSError, ValueError):
        return None
    paths = _paths(rules)
    if not paths:
        return None
    return Document({"openapi": "3.1.0", "paths": paths}, f"the routes of {spec}")


def _paths(rules: Any) -> dict[str, dict[str, Any]]:
    """Return the paths of an OpenAPI document with an operation for each rule."""
    paths: dict[str, dict[str, Any]] = {}
    for rule, methods, endpoint, subdomain in rules:
        if endpoint == "static" or endpoint.endswith(".static") or subdomain:
            continue
        parameters = [
            {
                "name": part["name"],
                "in": "path",
                "required": True,
                "schema": _schema(part),
            }
            for part in _PART.finditer(rule)
        ]
        path = _PART.sub(lambda part: f"{{{part['name']}}}", rule)
        accepted = [method for method in _METHODS if method in methods]
        for method in accepted:
            name = f"{endpoint}_{method.lower()}" if len(accepted) > 1 else endpoint
            paths.setdefault(path, {})[method.lower()] = {
                "operationId": name,
                "parameters": parameters,
                "responses": {},
            }
    return paths


def _schema(part: re.Match[str]) -> Mapping[str, Any]:
    if part["converter"] == "any":
        values = [value.strip(" '\"") for value in (part["arguments"] or "").split(",")]
        return {"type": "string", "enum": values}
    return _SCHEMAS.get(part["converter"] or "", {"type": "string"})
