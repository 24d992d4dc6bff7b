"""Visitors who ask for a report."""

import random

from locust import constant, task

from assay.load import LeanHttpUser


class Visitor(LeanHttpUser):
    """Asks again as soon as there is an answer."""

    wait_time = constant(0)

    @task
    def report(self) -> None:
        """Ask for one."""
        number = random.randrange(0, 1_000_000)
        self.client.get(f"/v1/startup?number={number}", name="/v1/startup")
