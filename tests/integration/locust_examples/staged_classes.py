"""A shape that selects the user classes of each stage."""

from locust import HttpUser, LoadTestShape, constant, task


class Reader(HttpUser):
    wait_time = constant(0.1)

    @task
    def read(self):
        self.client.get("/hello")


class Writer(HttpUser):
    wait_time = constant(0.1)

    @task
    def write(self):
        self.client.post("/orders", json={"item": 1})


class Stages(LoadTestShape):
    stages = [
        {"until": 0.9, "users": 4, "classes": [Reader]},
        {"until": 1.9, "users": 12, "classes": [Writer]},
        {"until": 2.9, "users": 6, "classes": None},
    ]

    def tick(self):
        now = self.get_run_time()
        for stage in self.stages:
            if now < stage["until"]:
                if stage["classes"] is None:
                    return stage["users"], 20
                return stage["users"], 20, stage["classes"]
        return None
