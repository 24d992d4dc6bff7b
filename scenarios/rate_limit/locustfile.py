"""Clients whose requests are counted."""

import random

from locust import constant, task

from assay.load import LeanHttpUser


class Client(LeanHttpUser):
    """Sends the next request as soon as the last one is answered."""

    wait_time = constant(0)

    @task
    def answer(self) -> None:
        """Send a request as one of 10 000 clients."""
        number = random.randrange(0, 10_000)
        self.client.get(f"/v1/rate_limit?client={number}", name="/v1/rate_limit")
