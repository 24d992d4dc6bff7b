"""Users of the reference server; like any locustfile, for the generator alone."""

from locust import FastHttpUser, constant, task


class Visitor(FastHttpUser):
    """Asks for the one page that there is."""

    wait_time = constant(0)

    @task
    def read_items(self) -> None:
        """Read the page."""
        self.client.get("/")
