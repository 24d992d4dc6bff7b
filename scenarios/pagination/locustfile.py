"""Clerks who leaf through orders."""

import random

from locust import constant, task

from assay.load import LeanHttpUser


class Clerk(LeanHttpUser):
    """Asks again as soon as there is an answer."""

    wait_time = constant(0)

    @task
    def list_orders(self) -> None:
        """Read one page of them."""
        number = random.randrange(0, 1680)
        self.client.get(f"/v1/pagination?page={number}", name="/v1/pagination")
