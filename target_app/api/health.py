"""Health checks of the service and of its databases."""

from fastapi import APIRouter

from target_app.core.database import Resources
from target_app.core.errors import AppError
from target_app.schemas.errors import error_responses


def health_router(resources: Resources) -> APIRouter:
    """Return the routes of the health checks.

    Args:
        resources: Connections that only the health checks use, so that no guard counts
            their queries.
    """
    router = APIRouter(tags=["health"])
    status = {"status": "ok"}
    if resources.settings.target_variant:
        status["variant"] = resources.settings.target_variant

    @router.get("/health")
    async def health() -> dict[str, str]:
        """Answer that the service runs; name the variant if only one is served."""
        return status

    @router.get("/health/db", responses=error_responses(503))
    def health_db() -> dict[str, str]:
        """Answer 503 if PostgreSQL is not configured or does not answer."""
        # Imported here, so that variants without a database do not load SQLAlchemy.
        from sqlalchemy import text
        from sqlalchemy.exc import SQLAlchemyError

        try:
            with resources.postgres() as session:
                session.execute(text("SELECT 1"))
        except SQLAlchemyError as error:
            # Without the driver's message, because it contains hosts and accounts.
            raise AppError(
                "The database does not answer", 503, {"cause": type(error).__name__}
            ) from error
        return {"status": "ok", "database": "connected"}

    @router.get("/ready", responses=error_responses(503))
    async def ready() -> dict[str, str]:
        """Answer 503 if PostgreSQL or Redis is configured and does not answer."""
        settings = resources.settings
        try:
            if settings.database_url:
                from sqlalchemy import text

                async with resources.postgres_async() as session:
                    await session.execute(text("SELECT 1"))
            if settings.redis_url:
                await resources.redis_async.ping()
        except Exception as error:  # from either driver, or from the network
            raise AppError("Not ready", 503, {"cause": type(error).__name__}) from error
        return {"status": "ready"}

    return router
