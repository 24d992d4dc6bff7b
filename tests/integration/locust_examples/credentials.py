"""Users who each take a name from a list, and log in with it."""

from locust import HttpUser, TaskSet, constant, task

NAMES = ["ada", "grace", "joan"]


class Inside(TaskSet):
    def on_start(self):
        name = NAMES.pop()
        self.client.post("/login", {"name": name, "secret": f"{name}-secret"})

    @task
    def home(self):
        self.client.get("/home")


class Member(HttpUser):
    wait_time = constant(0.1)
    tasks = [Inside]
