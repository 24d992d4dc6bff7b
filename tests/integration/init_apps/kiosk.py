"""A Flask app that describes itself by its routes alone."""

import os

from flask import Blueprint, Flask, jsonify, request
from flask.typing import ResponseReturnValue
from flask.views import MethodView

PAPERS = ["times", "post", "globe"]
papers = Blueprint("papers", __name__, url_prefix="/papers")


class Paper(MethodView):
    """One paper."""

    def get(self, number: int) -> ResponseReturnValue:
        """Return the paper."""
        return jsonify(PAPERS[number])

    def delete(self, number: int) -> ResponseReturnValue:
        """Delete the paper."""
        return jsonify(PAPERS.pop(number))


papers.add_url_rule("/<int:number>", view_func=Paper.as_view("paper"))


@papers.post("")
def add() -> ResponseReturnValue:
    """Add a paper."""
    PAPERS.append(request.get_data(as_text=True))
    return "", 201


def create_app() -> Flask:
    """Return the app; it needs a variable that only its service has."""
    app = Flask(__name__)
    app.register_blueprint(papers)
    shelf = os.environ["SHELF"]

    @app.get("/sorted/<any(name, price):order>/<path:where>")
    def listed(order: str, where: str) -> ResponseReturnValue:
        """Return the papers in some order."""
        return jsonify([shelf, order, where, *sorted(PAPERS)])

    return app
