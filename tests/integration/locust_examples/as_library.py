"""A locustfile that is also a script, which starts its own runner."""

import gevent
from locust import HttpUser, constant, events, task
from locust.env import Environment


class Visitor(HttpUser):
    wait_time = constant(0.1)

    @task
    def front(self):
        self.client.get("/")


def main():
    environment = Environment(user_classes=[Visitor], events=events)
    runner = environment.create_local_runner()
    runner.start(1, spawn_rate=10)
    gevent.spawn_later(1, runner.quit)
    runner.greenlet.join()


if __name__ == "__main__":
    main()
