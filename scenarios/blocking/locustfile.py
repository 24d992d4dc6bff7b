"""Users whose requests wait for a slow call."""

import random

from locust import constant, task

from assay.load import LeanHttpUser


class Visitor(LeanHttpUser):
    """Asks again as soon as there is an answer."""

    wait_time = constant(0)

    @task
    def wait(self) -> None:
        """Send a request; the random number prevents that a cache answers it."""
        number = random.randrange(1_000_000)
        self.client.get(f"/v1/blocking?number={number}", name="/v1/blocking")
