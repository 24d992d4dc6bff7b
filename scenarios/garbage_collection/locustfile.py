"""Visitors whose requests leave garbage."""

import random

from locust import constant, task

from assay.load import LeanHttpUser


class Visitor(LeanHttpUser):
    """Sends the next request as soon as the last one is answered."""

    wait_time = constant(0)

    @task
    def work(self) -> None:
        """Send a request that leaves garbage."""
        number = random.randrange(0, 1_000_000)
        self.client.get(
            f"/v1/garbage_collection?number={number}", name="/v1/garbage_collection"
        )
