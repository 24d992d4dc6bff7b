"""Visitors whose requests need five calls of another service."""

import random

from locust import constant, task

from assay.load import LeanHttpUser


class Visitor(LeanHttpUser):
    """Sends the next request as soon as the last one is answered."""

    wait_time = constant(0)

    @task
    def squares(self) -> None:
        """Read five squares."""
        number = random.randrange(0, 1_000_000)
        self.client.get(
            f"/v1/downstream_calls?first={number}", name="/v1/downstream_calls"
        )
