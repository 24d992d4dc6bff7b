"""Workers that each read the file with their index."""

from pathlib import Path

from locust import HttpUser, constant, events, runners, task


@events.init.add_listener
def choose(environment, **_):
    if not isinstance(environment.runner, runners.MasterRunner):
        part = Path(__file__).parent / f"part_{environment.runner.worker_index}.txt"
        Reader.names = part.read_text().split()


class Reader(HttpUser):
    wait_time = constant(0.1)
    names = []

    @task
    def read(self):
        for name in self.names:
            self.client.get(f"/echo?name={name}", name=name)
