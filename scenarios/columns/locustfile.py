"""Clerks who read contacts."""

import random

from locust import constant, task

from assay.load import LeanHttpUser


class Clerk(LeanHttpUser):
    """Sends the next request as soon as the last one is answered."""

    wait_time = constant(0)

    @task
    def list_contacts(self) -> None:
        """Read one page of contacts."""
        number = random.randrange(0, 400)
        self.client.get(f"/v1/columns?page={number}", name="/v1/columns")
