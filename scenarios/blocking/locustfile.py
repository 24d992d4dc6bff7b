"""Users who ask for something that has to wait for something else."""

import random

from locust import constant, task

from assay.load import LeanHttpUser


class Visitor(LeanHttpUser):
    """Asks again as soon as there is an answer."""

    wait_time = constant(0)

    @task
    def wait(self) -> None:
        """Ask; the number keeps anything on the way from answering instead."""
        number = random.randrange(1_000_000)
        self.client.get(f"/v1/blocking?number={number}", name="/v1/blocking")
