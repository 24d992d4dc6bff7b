"""The user of the reference server. Only the load generator imports this file."""

from locust import FastHttpUser, constant, task


class Visitor(FastHttpUser):
    """Requests the only page of the server."""

    wait_time = constant(0)

    @task
    def read_items(self) -> None:
        """Request the page."""
        self.client.get("/")
