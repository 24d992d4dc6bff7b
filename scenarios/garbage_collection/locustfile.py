"""Visitors whose requests leave garbage behind."""

import random

from locust import constant, task

from assay.load import LeanHttpUser


class Visitor(LeanHttpUser):
    """Asks again as soon as there is an answer."""

    wait_time = constant(0)

    @task
    def work(self) -> None:
        """Leave some."""
        number = random.randrange(0, 1_000_000)
        self.client.get(
            f"/v1/garbage_collection?number={number}", name="/v1/garbage_collection"
        )
