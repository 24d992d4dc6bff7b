"""Clerks who look for expensive returns."""

import random

from locust import constant, task

from assay.load import LeanHttpUser


class Clerk(LeanHttpUser):
    """Sends the next request as soon as the last one is answered."""

    wait_time = constant(0)

    @task
    def costly_returns(self) -> None:
        """Read the expensive returns of a day."""
        month, day = random.randrange(0, 20), random.randrange(1, 29)
        self.client.get(f"/v1/filtering?month={month}&day={day}", name="/v1/filtering")
