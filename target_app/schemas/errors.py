"""The body of every error, and its documentation in OpenAPI."""

import json
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

_SCHEMAS = "#/components/schemas/"


class Problem(BaseModel):
    """The message and the details of an error."""

    message: str
    data: Any = None


class ErrorBody(BaseModel):
    """The body of every error."""

    error: Problem


_MESSAGES = {
    400: "There was an error parsing the body",
    401: "Not authenticated",
    404: "Item not found",
    409: "There is not enough of this item",
    413: "The body is too large",
    422: "Validation error",
    429: "Too many requests",
    503: "Not ready",
}
_DATA: dict[int, Any] = {
    404: {"item_id": 7},
    409: {"item_id": 7},
    422: {"details": [{"where": ["body", "email"], "message": "Field required"}]},
    429: {"retry_after": 12},
    503: {"cause": "OperationalError"},
}


BODY_ERRORS = (400, 413)  # errors of every operation with a body, besides 422


def error_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the documentation of errors with these statuses, each with an example."""
    return {status: _error_response(status) for status in statuses}


def _error_response(status: int) -> dict[str, Any]:
    example = {"error": {"message": _MESSAGES[status], "data": _DATA.get(status)}}
    return {
        "model": ErrorBody,
        "description": _MESSAGES[status],
        "content": {"application/json": {"example": example}},
    }


def document_errors(app: FastAPI) -> None:
    """Document validation errors with the body that the service really answers.

    By default FastAPI documents its own body, which this service never uses.
    """
    default_openapi = app.openapi

    def openapi() -> dict[str, Any]:
        if not app.openapi_schema:
            text = json.dumps(default_openapi())
            document: dict[str, Any] = json.loads(
                text.replace(_SCHEMAS + "HTTPValidationError", _SCHEMAS + "ErrorBody")
            )
            for name in ("HTTPValidationError", "ValidationError"):
                document["components"]["schemas"].pop(name, None)
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
