"""The application: `python -m uvicorn target_app.main:app`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from fastapi import APIRouter, FastAPI
from pydantic import ValidationError

from target_app.api.health import health_router
from target_app.api.v1.router import variants_router
from target_app.core.bodies import BodyLimit
from target_app.core.config import Settings
from target_app.core.database import Resources
from target_app.core.errors import (
    AppError,
    ConfigurationError,
    setup_error_handlers,
)
from target_app.core.logs import AccessLog, setup_logs
from target_app.schemas.errors import document_errors

if TYPE_CHECKING:
    from target_app.core.shop import Shop

SHOP = "shop"  # TARGET_VARIANT that serves only the shop, under /api/v1
MAX_BODY_BYTES = 64 * 1024


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the service with these settings.

    Args:
        settings: By default they are read from the environment and `.env`.

    Raises:
        ConfigurationError: The service cannot start with these settings.
    """
    try:
        settings = settings or Settings()
        variants, all_resources, open_shop = _parts(settings)
    except ValidationError as error:
        details = "; ".join(
            f"{'.'.join(map(str, detail['loc'])).upper()}: {detail['msg']}"
            for detail in error.errors()
        )
        raise ConfigurationError(details) from error
    except AppError as error:
        raise ConfigurationError(error.message) from error
    all_resources.append(health := Resources(settings))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        for resources in all_resources:
            await resources.close()
        if open_shop is not None:
            await open_shop.close()

    setup_logs(settings.log_level)
    telemetry = settings.telemetry
    app = FastAPI(
        title="Shop",
        lifespan=lifespan,
        telemetry={
            "tracing": telemetry,
            "metrics": telemetry,
            "logs": telemetry,
            "operation_spans": telemetry,
        },
    )
    setup_error_handlers(app)
    app.include_router(health_router(health))
    app.include_router(variants)
    if open_shop is not None:
        from target_app.api.v1.shop import shop_router

        app.add_middleware(BodyLimit, max_bytes=MAX_BODY_BYTES)
        app.state.shop = open_shop
        app.include_router(shop_router())
    if settings.log_level in ("debug", "info"):
        # The outermost middleware, so that the logged time includes all others.
        app.add_middleware(AccessLog)
    document_errors(app)
    return app


def _parts(settings: Settings) -> tuple[APIRouter, list[Resources], Shop | None]:
    """Return the routes of variants, their resources, and the shop if it is served.

    TARGET_VARIANT selects one variant, or only the shop. If it is empty, everything
    whose URLs are set is served.
    """
    only_shop = settings.target_variant == SHOP
    variants = APIRouter()
    all_resources: list[Resources] = []
    if not only_shop:
        variants, all_resources = variants_router(settings)
    everything = not settings.target_variant and settings.redis_url
    if not (only_shop or (everything and settings.database_url)):
        return variants, all_resources, None
    # Imported here, so that a variant of a practice does not load the shop.
    from target_app.core import shop

    return variants, all_resources, shop.make_shop(settings)


try:
    app = create_app()
except ConfigurationError as error:
    # Without a traceback, so that the message is easy to see.
    raise SystemExit(f"target_app: {error}") from None
