"""A shape with stages of few, many and few users."""

from locust import HttpUser, LoadTestShape, TaskSet, constant, task


class Surfing(TaskSet):
    @task
    def front(self):
        self.client.get("/")


class Visitor(HttpUser):
    wait_time = constant(0.1)
    tasks = [Surfing]


class Stages(LoadTestShape):
    stages = [
        {"until": 0.9, "users": 4, "spawn_rate": 20},
        {"until": 1.9, "users": 12, "spawn_rate": 20},
        {"until": 2.9, "users": 2, "spawn_rate": 20},
    ]

    def tick(self):
        now = self.get_run_time()
        for stage in self.stages:
            if now < stage["until"]:
                return stage["users"], stage["spawn_rate"]
        return None
