"""Users who look at one user's record after another."""

import random

from locust import constant, task

from assay.load import LeanHttpUser


class Reader(LeanHttpUser):
    """Reads records of users at random."""

    wait_time = constant(0)

    @task
    def read_user(self) -> None:
        """Read one user out of 40 000."""
        user_id = random.randint(1, 40_000)
        self.client.get(f"/v1/sync_async?user_id={user_id}", name="/v1/sync_async")
