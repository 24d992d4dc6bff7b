"""Users who each send their own address in a header."""

import itertools

from locust import HttpUser, constant, run_single_user, task

numbers = itertools.count(1)


class Forwarded(HttpUser):
    abstract = True
    subnet = "10.10.0."

    def __init__(self, environment):
        super().__init__(environment)
        self.client.headers["X-Forwarded-For"] = f"{self.subnet}{next(numbers)}"


class Visitor(Forwarded):
    wait_time = constant(0.1)

    @task
    def who(self):
        with self.client.get("/who", catch_response=True) as answer:
            if not answer.json()["address"].startswith(self.subnet):
                answer.failure("from elsewhere")


if __name__ == "__main__":
    run_single_user(Visitor)
