"""Managers who read the sales of random months."""

import random

from locust import constant, task

from assay.load import LeanHttpUser


class Manager(LeanHttpUser):
    """Sends the next request as soon as the last one is answered."""

    wait_time = constant(0)

    @task
    def read_sales(self) -> None:
        """Read the sales of one month out of 20."""
        month = random.randrange(20)
        self.client.get(f"/v1/caching?month={month}", name="/v1/caching")
