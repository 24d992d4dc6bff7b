"""Visitors who send 19 quick requests for each one that needs a computation."""

import random

from locust import constant, task

from assay.load import LeanHttpUser


class Visitor(LeanHttpUser):
    """Sends the next request as soon as the last one is answered."""

    wait_time = constant(0)

    @task(19)
    def quick(self) -> None:
        """Send a quick request."""
        self.client.get("/v1/cpu_work/quick")

    @task
    def compute(self) -> None:
        """Send a request that needs a computation."""
        start = random.randrange(1_000_000)
        self.client.get(f"/v1/cpu_work?start={start}", name="/v1/cpu_work")
