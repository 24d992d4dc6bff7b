"""Users who look at the sales of one month after another."""

import random

from locust import constant, task

from assay.load import LeanHttpUser


class Manager(LeanHttpUser):
    """Reads the sales of months at random."""

    wait_time = constant(0)

    @task
    def read_sales(self) -> None:
        """Read the sales of one month out of 20."""
        month = random.randrange(20)
        self.client.get(f"/v1/caching?month={month}", name="/v1/caching")
