"""Visitors who each ask for something else."""

import random

from locust import constant, task

from assay.load import LeanHttpUser


class Visitor(LeanHttpUser):
    """Asks again as soon as there is an answer."""

    wait_time = constant(0)

    @task
    def read_report(self) -> None:
        """Ask for what nobody asked for before."""
        number = random.randrange(0, 2**31)
        self.client.get(f"/v1/cache_leak?number={number}", name="/v1/cache_leak")
