"""Visitors whose requests do almost nothing."""

import random

from locust import constant, task

from assay.load import LeanHttpUser


class Visitor(LeanHttpUser):
    """Sends the next request as soon as the last one is answered."""

    wait_time = constant(0)

    @task
    def answer(self) -> None:
        """Send a request."""
        number = random.randrange(1_000_000)
        self.client.get(f"/v1/middleware?number={number}", name="/v1/middleware")
