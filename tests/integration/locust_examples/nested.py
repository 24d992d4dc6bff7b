"""TaskSets within TaskSets, left by interrupt()."""

from locust import HttpUser, TaskSet, constant, task


class Visitor(HttpUser):
    wait_time = constant(0.05)

    @task
    class Hall(TaskSet):
        @task
        class Room(TaskSet):
            @task(4)
            def look(self):
                self.client.get("/")

            @task(1)
            def leave(self):
                self.interrupt()

        @task
        def figures(self):
            self.client.get("/figures")
