"""Users who have logged in and read their own identity."""

import random

from locust import constant, task

from assay.load import LeanHttpUser


class LoggedInUser(LeanHttpUser):
    """Sends one of ten credentials with each request."""

    wait_time = constant(0)
    credentials: list[str]

    def on_start(self) -> None:
        """Get credentials of ten of the 40 000 users."""
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
        """Read one's own identity."""
        header = {"authorization": random.choice(self.credentials)}
        self.client.get("/v1/authentication", headers=header)
