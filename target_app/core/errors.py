"""The service's errors, and handlers that answer every error with the same body."""

import logging
from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from target_app.core.logs import request_id

log = logging.getLogger(__name__)


class ConfigurationError(ValueError):
    """The service cannot start with its settings; the message says why."""


class AppError(Exception):
    """An error that is answered as `{"error": {"message", "data"}}`.

    Attributes:
        message: A text for the caller; it must contain nothing secret.
        status_code: HTTP status.
        data: Details for the caller. `retry_after` is also sent as a header.
    """

    def __init__(
        self,
        message: str,
        status_code: int = 400,
        data: dict[str, object] | None = None,
    ) -> None:
        """Set the message, the status and the details of the answer."""
        super().__init__(message)
        self.message = message
        self.status_code = status_code
        self.data = data


def _answer(
    status_code: int,
    message: str,
    data: object = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    body = {"error": {"message": message, "data": jsonable_encoder(data)}}
    return JSONResponse(body, status_code, headers)


async def _app_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, AppError)
    # Standard HTTP headers, for clients that do not know this service.
    headers = {}
    if error.status_code == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if error.data and "retry_after" in error.data:
        headers["Retry-After"] = str(error.data["retry_after"])
    return _answer(error.status_code, error.message, error.data, headers)


async def _http_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return _answer(error.status_code, str(error.detail), headers=error.headers)


async def _invalid_request(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    details = [
        {"where": detail["loc"], "message": detail["msg"]} for detail in error.errors()
    ]
    return _answer(422, "Validation error", {"details": details})


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    # The traceback is logged. The caller gets the id of the request, to find it there.
    id_ = request_id(request.scope)
    log.error(
        "unexpected error",
        exc_info=error,
        extra={"request_id": id_, "method": request.method, "path": request.url.path},
    )
    return _answer(500, "Internal server error", {"request_id": id_})


def setup_error_handlers(app: FastAPI) -> None:
    """Register the handlers of all errors."""
    app.add_exception_handler(AppError, _app_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(Exception, _unexpected)
