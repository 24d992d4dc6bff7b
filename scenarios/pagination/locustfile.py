"""Clerks who browse orders."""

import random

from locust import constant, task

from assay.load import LeanHttpUser


class Clerk(LeanHttpUser):
    """Sends the next request as soon as the last one is answered."""

    wait_time = constant(0)

    @task
    def list_orders(self) -> None:
        """Read a page of orders."""
        number = random.randrange(0, 1680)
        self.client.get(f"/v1/pagination?page={number}", name="/v1/pagination")
