"""Visitors who ask for next to nothing."""

import random

from locust import constant, task

from assay.load import LeanHttpUser


class Visitor(LeanHttpUser):
    """Asks again as soon as there is an answer."""

    wait_time = constant(0)

    @task
    def answer(self) -> None:
        """Ask."""
        number = random.randrange(1_000_000)
        self.client.get(f"/v1/middleware?number={number}", name="/v1/middleware")
