"""Visitors who never request the same report twice."""

import random

from locust import constant, task

from assay.load import LeanHttpUser


class Visitor(LeanHttpUser):
    """Sends the next request as soon as the last one is answered."""

    wait_time = constant(0)

    @task
    def read_report(self) -> None:
        """Read the report of a random number."""
        number = random.randrange(0, 2**31)
        self.client.get(f"/v1/cache_leak?number={number}", name="/v1/cache_leak")
