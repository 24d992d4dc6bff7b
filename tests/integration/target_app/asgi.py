"""The target in process, with its lifespan."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx

from target_app.core.config import Settings
from target_app.main import create_app

Story = Callable[[httpx.AsyncClient], Awaitable[None]]


def with_target(settings: Settings, story: Story) -> None:
    """Start the target, tell the story to a client of it, and stop it."""

    async def run() -> None:
        app = create_app(settings)
        transport = httpx.ASGITransport(app=app)
        async with app.router.lifespan_context(app):
            async with httpx.AsyncClient(
                transport=transport, base_url="http://target"
            ) as client:
                await story(client)

    asyncio.run(run())


def chosen(seeded: Settings, variant: str) -> Settings:
    """The same settings with one variant."""
    return seeded.model_copy(update={"target_variant": variant})
