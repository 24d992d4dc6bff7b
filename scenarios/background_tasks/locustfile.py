"""Visitors who sign up."""

import random

from locust import constant, task

from assay.load import LeanHttpUser


class Visitor(LeanHttpUser):
    """Asks again as soon as there is an answer."""

    wait_time = constant(0)

    @task
    def sign_up(self) -> None:
        """Sign up."""
        number = random.randrange(0, 1_000_000)
        self.client.get(
            f"/v1/background_tasks?number={number}", name="/v1/background_tasks"
        )
