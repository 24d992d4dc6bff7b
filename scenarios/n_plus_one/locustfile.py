"""Users who leaf through customers and their orders."""

import random

from locust import constant, task

from assay.load import LeanHttpUser


class Clerk(LeanHttpUser):
    """Opens pages of the list at random."""

    wait_time = constant(0)

    @task
    def list_users(self) -> None:
        """Read one page of users, each with all orders."""
        page = random.randrange(4_000)
        self.client.get(f"/v1/n_plus_one?page={page}", name="/v1/n_plus_one")
