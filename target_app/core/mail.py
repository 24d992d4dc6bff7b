"""Simulated mails, sent before the answer or after it."""

import asyncio
import logging

from fastapi import BackgroundTasks

log = logging.getLogger(__name__)


class Mailer:
    """Simulates sending mails, which takes some time; it sends nothing."""

    def __init__(self, seconds: float, later: bool) -> None:
        """Set how long a mail takes, and whether it is sent after the answer."""
        self._seconds, self._later = seconds, later
        self.sent = 0

    async def send(self, address: str, subject: str, tasks: BackgroundTasks) -> None:
        """Send a mail, now or after the answer."""
        if self._later:
            tasks.add_task(self._send, subject)
        else:
            await self._send(subject)

    async def _send(self, subject: str) -> None:
        await asyncio.sleep(self._seconds)
        self.sent += 1
        # The address is personal, so it is not logged.
        log.info("mail sent", extra={"subject": subject})
