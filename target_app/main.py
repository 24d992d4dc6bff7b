"""The application: `python -m uvicorn target_app.main:app`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

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
from target_app.schemas.errors import documented

SHOP = "shop"  # as a variant: the service under /api/v1 alone
MOST_BYTES = 64 * 1024  # of a request's body


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the service as its settings want it.

    Raises:
        ConfigurationError: It cannot be served like that.
    """
    try:
        settings = settings or Settings()
        # One variant, the shop, or everything there is to serve.
        only_shop = settings.target_variant == SHOP
        variants = APIRouter()
        held: list[Resources] = []
        if not only_shop:
            variants, held = variants_router(settings)
        whole = not settings.target_variant and settings.redis_url
        opened = None
        if only_shop or (whole and settings.database_url):
            # Imported here: a variant of a practice does not pay for the shop.
            from target_app.core import shop

            opened = shop.opened(settings)
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
        if opened is not None:
            await opened.close()

    setup_logs(settings.log_level)
    on = settings.telemetry
    app = FastAPI(
        title="Shop",
        lifespan=lifespan,
        telemetry={"tracing": on, "metrics": on, "logs": on, "operation_spans": on},
    )
    setup_error_handlers(app)
    app.include_router(health_router(health))
    app.include_router(variants)
    if opened is not None:
        from target_app.api.v1.shop import shop_router

        app.add_middleware(BodyLimit, most=MOST_BYTES)
        app.state.shop = opened
        app.include_router(shop_router())
    if settings.log_level in ("debug", "info"):
        # The outermost: its line counts the time of all others.
        app.add_middleware(AccessLog)
    documented(app)
    return app


try:
    app = create_app()
except ConfigurationError as error:
    # A traceback would bury the one sentence that matters.
    raise SystemExit(f"target_app: {error}") from None
