"""Is the service there, which variant does it serve, and is the database there?"""

from fastapi import APIRouter
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from target_app.core.database import Resources
from target_app.core.errors import AppError


def health_router(resources: Resources) -> APIRouter:
    """Return the routes; `resources` are theirs alone, so no guard counts them."""
    router = APIRouter(tags=["health"])
    status = {"status": "ok"}
    if resources.settings.target_variant:
        status["variant"] = resources.settings.target_variant

    @router.get("/health")
    async def health() -> dict[str, str]:
        """Answer that the service is there, and with which variant."""
        return status

    @router.get("/health/db")
    def health_db() -> dict[str, str]:
        """Answer 503 where the database does not."""
        try:
            with resources.postgres() as session:
                session.execute(text("SELECT 1"))
        except SQLAlchemyError as error:
            # The driver's own message would name hosts and accounts.
            raise AppError(
                "The database does not answer", 503, {"cause": type(error).__name__}
            ) from error
        return {"status": "ok", "database": "connected"}

    return router
