"""The routes of the variants and of their guards."""

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute
from pydantic import BaseModel

from target_app.core.config import Settings
from target_app.core.database import Resources
from target_app.core.errors import ConfigurationError
from target_app.practices import Served, Variant, all_variants, get_variant


class GuardRead(BaseModel):
    """Whether the variant does what its name says, with the counts that show it."""

    ok: bool
    detail: str


def variants_router(settings: Settings) -> tuple[APIRouter, list[Resources]]:
    """Return the routes of the variants, and the resources to close.

    If one variant is selected, it is at `/v1/{topic}` and its guard at `/guard`.
    Otherwise each variant is at `/v1/{topic}/{variant}` and its guard at `…/guard`.
    In that case a variant is left out if a setting that it needs is not set.

    Raises:
        ConfigurationError: The selected variant does not exist, or a setting that it
            needs is not set.
        AppError: DATABASE_URL is not a PostgreSQL URL, or REDIS_URL cannot be read.
    """
    router = APIRouter()
    all_resources = []
    if name := settings.target_variant:
        variant = get_variant(name)
        for need in variant.needs:
            if not getattr(settings, need):
                raise ConfigurationError(
                    f"TARGET_VARIANT={name!r} needs {need.upper()}, which is not set"
                )
        topic = name.partition(".")[0]
        all_resources.append(
            _mount(router, f"/v1/{topic}", "/guard", variant, settings)
        )
    else:
        for name, variant in all_variants().items():
            if all(getattr(settings, need) for need in variant.needs):
                path = "/v1/" + name.replace(".", "/")
                all_resources.append(
                    _mount(router, path, f"{path}/guard", variant, settings)
                )
    return router, all_resources


def _mount(
    router: APIRouter, path: str, guard_path: str, variant: Variant, settings: Settings
) -> Resources:
    resources = Resources(settings)
    built = variant.build(resources)
    served = built if isinstance(built, Served) else Served(built)
    options = {"methods": ["GET"], **served.options}
    if served.wrap:
        options["route_class_override"] = _wrapped_route(served.wrap)
    router.add_api_route(path, served.handler, **options)
    for name, handler in served.extra_handlers.items():
        router.add_api_route(f"{path}/{name}", handler, methods=["GET"])

    async def guard() -> GuardRead:
        """Say whether the variant has done what its name says."""
        ok, detail = variant.guard.judge(resources.counts)
        return GuardRead(ok=ok, detail=detail)

    router.add_api_route(guard_path, guard, methods=["GET"])
    return resources


def _wrapped_route(wrap: Callable[[Any], Any]) -> type[APIRoute]:
    """Return a route class whose application is wrapped in middleware."""

    class WrappedRoute(APIRoute):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self._wrapped = wrap(super().handle)

        async def handle(self, scope: Any, receive: Any, send: Any) -> None:
            await self._wrapped(scope, receive, send)

    return WrappedRoute
