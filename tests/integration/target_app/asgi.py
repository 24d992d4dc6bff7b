"""Helpers that run the target in the process of the tests."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx

from target_app.core.config import Settings
from target_app.main import create_app

Story = Callable[[httpx.AsyncClient], Awaitable[None]]


def with_target(settings: Settings, story: Story, raises: bool = True) -> None:
    """Start the target, run a story with a client of it, and stop it.

    Args:
        settings: Settings of the target.
        story: Gets the client and sends requests.
        raises: Whether an unexpected exception of the target is raised in the test; if
            not, the target answers with status 500.
    """

    async def run() -> None:
        app = create_app(settings)
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=raises)
        async with app.router.lifespan_context(app):
            async with httpx.AsyncClient(
                transport=transport, base_url="http://target"
            ) as client:
                await story(client)

    asyncio.run(run())


def chosen(seeded: Settings, variant: str) -> Settings:
    """Return the same settings with one variant."""
    return seeded.model_copy(update={"target_variant": variant})
