"""A locustfile that is also a script, which runs one user."""

from locust import HttpUser, constant, run_single_user, task


class Visitor(HttpUser):
    wait_time = constant(0.1)

    @task
    def hello(self):
        with self.client.get("/hello", catch_response=True) as answer:
            if not answer.text:
                answer.failure("nothing was said")


if __name__ == "__main__":
    run_single_user(Visitor)
