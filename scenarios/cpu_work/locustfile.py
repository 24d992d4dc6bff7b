"""Visitors of whom one in twenty asks for something that has to be computed."""

import random

from locust import constant, task

from assay.load import LeanHttpUser


class Visitor(LeanHttpUser):
    """Asks again as soon as there is an answer."""

    wait_time = constant(0)

    @task(19)
    def quick(self) -> None:
        """Ask for what is there."""
        self.client.get("/v1/cpu_work/quick")

    @task
    def compute(self) -> None:
        """Ask for what has to be computed."""
        start = random.randrange(1_000_000)
        self.client.get(f"/v1/cpu_work?start={start}", name="/v1/cpu_work")
