"""Users whose requests wait for a slow call."""

import random

from locust import constant, task

from assay.load import LeanHttpUser


class Visitor(LeanHttpUser):
    """Sends the next request as soon as the last one is answered."""

    wait_time = constant(0)

    @task
    def wait(self) -> None:
        """Send a request, with a random number so that no cache answers it."""
        number = random.randrange(1_000_000)
        self.client.get(f"/v1/blocking?number={number}", name="/v1/blocking")
