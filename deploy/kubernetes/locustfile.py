"""An example of a locustfile; replace it with your own."""

from locust import task

from assay.load import LeanHttpUser


class Visitor(LeanHttpUser):
    """Looks at the start page."""

    @task
    def look(self) -> None:
        """Request the start page."""
        self.client.get("/")
