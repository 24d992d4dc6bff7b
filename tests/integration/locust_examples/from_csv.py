"""Names and passwords that are read from a CSV file again and again."""

import csv
import os

from locust import FastHttpUser, constant, task

file = open(os.path.join(os.path.dirname(__file__), "people.csv"))
people = csv.reader(file)


class Member(FastHttpUser):
    wait_time = constant(0.1)

    @task
    def login(self):
        try:
            name, secret = next(people)
        except StopIteration:
            file.seek(0)
            name, secret = next(people)
        sent = {"name": name, "secret": secret}
        with self.rest("POST", "/login", json=sent, name=f"login {name}") as answer:
            message = answer.js and answer.js.get("message", "")
            if not message.startswith("Hello"):
                answer.failure(f"not greeted: {message}")
