"""Users who begin when all users have started."""

from gevent.lock import Semaphore
from locust import HttpUser, constant, events, task

everybody = Semaphore()
everybody.acquire()


@events.spawning_complete.add_listener
def begin(user_count, **_):
    print("users:", user_count)
    everybody.release()


class Visitor(HttpUser):
    wait_time = constant(0.1)

    def on_start(self):
        everybody.wait()

    @task
    def front(self):
        self.client.get("/")
