"""Clients of whom each is counted."""

import random

from locust import constant, task

from assay.load import LeanHttpUser


class Client(LeanHttpUser):
    """Asks again as soon as there is an answer."""

    wait_time = constant(0)

    @task
    def answer(self) -> None:
        """Ask as one of many."""
        number = random.randrange(0, 10_000)
        self.client.get(f"/v1/rate_limit?client={number}", name="/v1/rate_limit")
