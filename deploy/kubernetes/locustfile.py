"""What the users do; replace it with your own."""

from locust import task

from assay.load import LeanHttpUser


class Visitor(LeanHttpUser):
    """Looks at the start page."""

    @task
    def look(self) -> None:
        """Ask for it."""
        self.client.get("/")
