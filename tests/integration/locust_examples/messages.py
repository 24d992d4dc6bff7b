"""Messages of the runner to itself, which give a name to each user before it starts."""

from locust import HttpUser, constant, events, task
from locust.runners import LocalRunner, MasterRunner, WorkerRunner

names = []


def take(environment, msg, **_):
    names.extend(msg.data)
    environment.runner.send_message("taken", len(msg.data))


def taken(msg, **_):
    print("taken:", msg.data)


@events.init.add_listener
def listen(environment, **_):
    if not isinstance(environment.runner, MasterRunner):
        environment.runner.register_message("names", take)
    if not isinstance(environment.runner, WorkerRunner):
        environment.runner.register_message("taken", taken, concurrent=True)


@events.test_start.add_listener
def hand_out(environment, **_):
    runner = environment.runner
    if isinstance(runner, LocalRunner):
        every = [f"user{number}" for number in range(runner.target_user_count)]
        runner.send_message("names", every)


class Named(HttpUser):
    wait_time = constant(0.1)

    def __init__(self, environment):
        self.name = names.pop()
        super().__init__(environment)

    @task
    def greet(self):
        self.client.get("/hello", name=f"hello {self.name}")
