"""Clerks who read contacts."""

import random

from locust import constant, task

from assay.load import LeanHttpUser


class Clerk(LeanHttpUser):
    """Asks again as soon as there is an answer."""

    wait_time = constant(0)

    @task
    def list_contacts(self) -> None:
        """Read one page of contacts."""
        number = random.randrange(0, 50)
        self.client.get(
            f"/v1/response_models?page={number}", name="/v1/response_models"
        )
