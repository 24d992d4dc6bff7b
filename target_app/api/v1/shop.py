"""The shop's routes, all under `/api/v1`."""

from fastapi import APIRouter, Depends

from target_app.api.v1.dependencies import limit_requests
from target_app.api.v1.endpoints import auth, items, orders, users
from target_app.schemas.errors import error_responses


def shop_router() -> APIRouter:
    """Return the routes of the shop."""
    router = APIRouter(
        prefix="/api/v1",
        dependencies=[Depends(limit_requests)],
        responses=error_responses(429),
    )
    for part in (auth, users, items, orders):
        router.include_router(part.router)
    return router
