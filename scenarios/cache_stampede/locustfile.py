"""Managers who all look at the month that is shown on the wall."""

from locust import constant, task

from assay.load import LeanHttpUser


class Manager(LeanHttpUser):
    """Asks again as soon as there is an answer."""

    wait_time = constant(0)

    @task
    def read_sales(self) -> None:
        """Read the sales of the newest month."""
        self.client.get("/v1/cache_stampede?month=19", name="/v1/cache_stampede")
