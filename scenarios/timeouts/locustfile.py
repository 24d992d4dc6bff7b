"""Visitors whose requests need another service."""

import random

from locust import constant, task

from assay.load import LeanHttpUser


class Visitor(LeanHttpUser):
    """Sends the next request as soon as the last one is answered."""

    wait_time = constant(0)

    @task
    def square(self) -> None:
        """Read the square of a number; one call in ten is slow."""
        number = random.randrange(0, 1_000_000)
        self.client.get(f"/v1/timeouts?number={number}", name="/v1/timeouts")
