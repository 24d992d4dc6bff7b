"""The application: `python -m uvicorn target_app.main:app`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from pydantic import ValidationError

from target_app.api.health import health_router
from target_app.api.v1.router import variants_router
from target_app.core.config import Settings
from target_app.core.database import Resources
from target_app.core.errors import (
    AppError,
    ConfigurationError,
    setup_error_handlers,
)


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the service as its settings want it.

    Raises:
        ConfigurationError: It cannot be served like that.
    """
    try:
        settings = settings or Settings()
        variants, held = variants_router(settings)
    except ValidationError as error:
        wrong = "; ".join(
            f"{'.'.join(map(str, found['loc'])).upper()}: {found['msg']}"
            for found in error.errors()
        )
        raise ConfigurationError(wrong) from error
    except AppError as error:
        raise ConfigurationError(error.message) from error
    held.append(health := Resources(settings))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        for resources in held:
            await resources.close()

    on = settings.telemetry
    app = FastAPI(
        title="Shop",
        lifespan=lifespan,
        telemetry={"tracing": on, "metrics": on, "logs": on, "operation_spans": on},
    )
    setup_error_handlers(app)
    app.include_router(health_router(health))
    app.include_router(variants)
    return app


try:
    app = create_app()
except ConfigurationError as error:
    # A traceback would bury the one sentence that matters.
    raise SystemExit(f"target_app: {error}") from None
