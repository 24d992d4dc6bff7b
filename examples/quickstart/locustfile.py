"""Visitors of the shop."""

from locust import FastHttpUser, task


class Visitor(FastHttpUser):
    """Looks at the bestsellers."""

    @task
    def look(self) -> None:
        """Request the page."""
        self.client.get("/bestsellers")
