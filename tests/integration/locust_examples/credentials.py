"""As many log-ins as there are names in a list."""

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
