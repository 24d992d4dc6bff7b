"""A form with a hidden token; the final URL shows whether the login succeeded."""

import re

from locust import HttpUser, constant, task

GUARD = re.compile(r'name="guard" value="([^"]*)"')


class Member(HttpUser):
    wait_time = constant(0.1)
    turns = 0

    @task
    def sign_in(self):
        with self.client.get("/form", catch_response=True) as shown:
            found = GUARD.search(shown.text)
            if found is None:
                shown.failure("the form has no token")
        self.turns += 1
        token = found.group(1) if self.turns % 4 else "stale"
        sent = {"name": "ada", "guard": token}
        with self.client.post("/form", sent, catch_response=True) as answer:
            if not answer.url.endswith("/home"):
                answer.failure("not signed in")
