"""Visitors who read users."""

import random

from locust import constant, task

from assay.load import LeanHttpUser


class Visitor(LeanHttpUser):
    """Sends the next request as soon as the last one is answered."""

    wait_time = constant(0)

    @task
    def read_user(self) -> None:
        """Read one user."""
        number = random.randrange(1, 40_001)
        self.client.get(
            f"/v1/connection_pool?user_id={number}", name="/v1/connection_pool"
        )
