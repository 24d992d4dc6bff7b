"""Users who read random user records."""

import random

from locust import constant, task

from assay.load import LeanHttpUser


class Reader(LeanHttpUser):
    """Sends the next request as soon as the last one is answered."""

    wait_time = constant(0)

    @task
    def read_user(self) -> None:
        """Read one of 40 000 users."""
        user_id = random.randint(1, 40_000)
        self.client.get(f"/v1/sync_async?user_id={user_id}", name="/v1/sync_async")
