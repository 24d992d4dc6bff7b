"""A login for Locust's web interface, if there is one."""

from flask import Blueprint, redirect, request, session, url_for
from flask_login import UserMixin, login_user
from locust import HttpUser, constant, events, task


class Visitor(HttpUser):
    wait_time = constant(0.1)

    @task
    def front(self):
        self.client.get("/")


class Person(UserMixin):
    def get_id(self):
        return "somebody"


@events.init.add_listener
def protect(environment, **_):
    if environment.web_ui:
        pages = Blueprint("own", "own")

        @pages.route("/enter", methods=["POST"])
        def enter():
            session["name"] = request.form.get("name")
            login_user(Person())
            return redirect(url_for("locust.index"))

        environment.web_ui.login_manager.user_loader(lambda _: Person())
        environment.web_ui.app.register_blueprint(pages)
