"""Users with a second client, for another host."""

import os

from locust import HttpUser, TaskSet, constant, task
from locust.clients import HttpSession


class WithOther(HttpUser):
    abstract = True

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.other = HttpSession(
            base_url=os.environ["OTHER_HOST"],
            request_event=self.client.request_event,
            user=self,
        )


class Both(TaskSet):
    @task
    def here(self):
        self.user.client.get("/hello")

    @task
    def there(self):
        self.user.other.get("/world")


class Visitor(WithOther):
    wait_time = constant(0.1)
    tasks = [Both]
