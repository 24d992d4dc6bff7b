"""Visitors who ask for what another service knows."""

import random

from locust import constant, task

from assay.load import LeanHttpUser


class Visitor(LeanHttpUser):
    """Asks again as soon as there is an answer."""

    wait_time = constant(0)

    @task
    def square(self) -> None:
        """Ask for a square; every tenth is slow."""
        number = random.randrange(0, 1_000_000)
        self.client.get(f"/v1/timeouts?number={number}", name="/v1/timeouts")
