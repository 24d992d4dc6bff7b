"""People who have logged in and now ask who they are."""

import random

from locust import constant, task

from assay.load import LeanHttpUser


class Person(LeanHttpUser):
    """Asks with one of some credentials."""

    wait_time = constant(0)
    credentials: list[str]

    def on_start(self) -> None:
        """Log in, as some of the 40 000."""
        self.credentials = []
        for _ in range(10):
            user = random.randrange(1, 40_001)
            answer = self.client.get(
                f"/v1/authentication/token?user_id={user}",
                name="/v1/authentication/token",
            )
            self.credentials.append(answer.json()["authorization"])

    @task
    def me(self) -> None:
        """Ask who one is."""
        header = {"authorization": random.choice(self.credentials)}
        self.client.get("/v1/authentication", headers=header)
