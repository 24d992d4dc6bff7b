"""Visitors who sign up."""

import random

from locust import constant, task

from assay.load import LeanHttpUser


class Visitor(LeanHttpUser):
    """Sends the next request as soon as the last one is answered."""

    wait_time = constant(0)

    @task
    def sign_up(self) -> None:
        """Sign up."""
        number = random.randrange(0, 1_000_000)
        self.client.get(
            f"/v1/background_tasks?number={number}", name="/v1/background_tasks"
        )
