"""The target in process, with its lifespan."""

import asyncio
from collections.abc import Awaitable, Callable

import httpx

from target_app.core.config import Settings
from target_app.main import create_app

Story = Callable[[httpx.AsyncClient], Awaitable[None]]


def with_target(settings: Settings, story: Story, raises: bool = True) -> None:
    """Start the target, tell the story to a client of it, and stop it.

    Args:
        settings: The target's.
        story: What happens to it.
        raises: Whether a bug of the target ends the test; it is answered otherwise.
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
    """The same settings with one variant."""
    return seeded.model_copy(update={"target_variant": variant})
