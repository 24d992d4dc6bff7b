"""Managers who all read the same month."""

from locust import constant, task

from assay.load import LeanHttpUser


class Manager(LeanHttpUser):
    """Sends the next request as soon as the last one is answered."""

    wait_time = constant(0)

    @task
    def read_sales(self) -> None:
        """Read the sales of the latest month."""
        self.client.get("/v1/cache_stampede?month=19", name="/v1/cache_stampede")
