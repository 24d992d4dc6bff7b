"""Two classes whose users stop after one turn."""

from locust import HttpUser, run_single_user, task
from locust.exception import StopUser


class One(HttpUser):
    @task
    def hello(self):
        self.client.get("/hello")
        raise StopUser()


class Two(HttpUser):
    @task
    def world(self):
        with self.client.get("/world", catch_response=True) as answer:
            answer.success()
        raise StopUser()


if __name__ == "__main__":
    run_single_user(One)
    run_single_user(Two)
