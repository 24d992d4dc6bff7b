"""Is the service there, which variant does it serve, and is the database there?"""

from fastapi import APIRouter

from target_app.core.database import Resources
from target_app.core.errors import AppError
from target_app.schemas.errors import problems


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

    @router.get("/health/db", responses=problems(503))
    def health_db() -> dict[str, str]:
        """Answer 503 where the database does not."""
        # Where there is a database; the others start without.
        from sqlalchemy import text
        from sqlalchemy.exc import SQLAlchemyError

        try:
            with resources.postgres() as session:
                session.execute(text("SELECT 1"))
        except SQLAlchemyError as error:
            # The driver's own message would name hosts and accounts.
            raise AppError(
                "The database does not answer", 503, {"cause": type(error).__name__}
            ) from error
        return {"status": "ok", "database": "connected"}

    @router.get("/ready", responses=problems(503))
    async def ready() -> dict[str, str]:
        """Answer 503 where something that requests need does not answer."""
        settings = resources.settings
        try:
            if settings.database_url:
                from sqlalchemy import text

                async with resources.postgres_async() as session:
                    await session.execute(text("SELECT 1"))
            if settings.redis_url:
                await resources.redis_async.ping()
        except Exception as error:  # of either driver, or of the network
            raise AppError("Not ready", 503, {"cause": type(error).__name__}) from error
        return {"status": "ready"}

    return router
