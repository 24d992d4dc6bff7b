"""Clerks who look up invoices."""

import random

from locust import constant, task

from assay.load import LeanHttpUser


class Clerk(LeanHttpUser):
    """Sends the next request as soon as the last one is answered."""

    wait_time = constant(0)

    @task
    def read_invoice(self) -> None:
        """Read the invoice of an order."""
        number = random.randrange(1, 100_001)
        self.client.get(f"/v1/indexing?order_id={number}", name="/v1/indexing")
