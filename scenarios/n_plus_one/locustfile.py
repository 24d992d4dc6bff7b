"""Clerks who browse customers and their orders."""

import random

from locust import constant, task

from assay.load import LeanHttpUser


class Clerk(LeanHttpUser):
    """Sends the next request as soon as the last one is answered."""

    wait_time = constant(0)

    @task
    def list_users(self) -> None:
        """Read a random page of users with their orders."""
        page = random.randrange(4_000)
        self.client.get(f"/v1/n_plus_one?page={page}", name="/v1/n_plus_one")
