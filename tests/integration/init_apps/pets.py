"""A Flask service with a Swagger 2 document that is served as a file."""

from typing import Any

from flask import Flask, Response, jsonify, request

DOCUMENT: dict[str, Any] = {
    "swagger": "2.0",
    "info": {"title": "Pets", "version": "1"},
    "basePath": "/api",
    "consumes": ["application/json"],
    "securityDefinitions": {"login": {"type": "basic"}},
    "paths": {
        "/pets": {
            "get": {
                "operationId": "listPets",
                "parameters": [
                    {
                        "in": "query",
                        "name": "kind",
                        "type": "array",
                        "items": {"type": "string", "enum": ["cat", "dog"]},
                        "minItems": 2,
                        "required": True,
                        "collectionFormat": "pipes",
                    }
                ],
                "responses": {"200": {"description": "pets"}},
            },
            "post": {
                "operationId": "addPet",
                "parameters": [
                    {
                        "in": "body",
                        "name": "pet",
                        "required": True,
                        "schema": {"$ref": "#/definitions/Pet"},
                    }
                ],
                "responses": {"201": {"description": "added"}},
            },
        },
        "/pets/{petId}": {
            "parameters": [
                {"in": "path", "name": "petId", "type": "integer", "required": True}
            ],
            "get": {"operationId": "getPet", "responses": {}},
            "delete": {"operationId": "deletePet", "responses": {}},
        },
        "/pets/{petId}/photo": {
            "post": {
                "operationId": "addPhoto",
                "consumes": ["multipart/form-data"],
                "parameters": [
                    {
                        "in": "path",
                        "name": "petId",
                        "type": "integer",
                        "required": True,
                    },
                    {
                        "in": "formData",
                        "name": "photo",
                        "type": "file",
                        "required": True,
                    },
                    {
                        "in": "formData",
                        "name": "alt",
                        "type": "string",
                        "required": True,
                    },
                ],
                "responses": {},
            }
        },
        "/search": {
            "post": {
                "operationId": "search",
                "consumes": ["application/x-www-form-urlencoded"],
                "parameters": [
                    {"in": "formData", "name": "q", "type": "string", "required": True}
                ],
                "responses": {},
            }
        },
        "/owner": {
            "get": {
                "operationId": "getOwner",
                "security": [{"login": []}],
                "responses": {},
            }
        },
    },
    "definitions": {
        "Pet": {
            "allOf": [
                {"$ref": "#/definitions/Animal"},
                {"required": ["kind"], "properties": {"kind": {"enum": ["cat"]}}},
            ]
        },
        "Animal": {
            "type": "object",
            "required": ["name"],
            "properties": {
                "name": {"type": "string", "minLength": 8},
                "parents": {"type": "array", "items": {"$ref": "#/definitions/Pet"}},
            },
        },
    },
}


def create_app() -> Flask:
    """Return the service."""
    app = Flask(__name__)

    @app.get("/static/openapi.json")
    def document() -> Response:
        return jsonify(DOCUMENT)

    @app.get("/ping")
    def ping() -> str:
        return "pong"

    @app.get("/api/pets")
    def list_pets() -> Any:
        assert request.args["kind"] == "cat|cat"
        return jsonify([])

    @app.post("/api/pets")
    def add_pet() -> Any:
        pet = request.get_json()
        assert pet["kind"] == "cat" and len(pet["name"]) >= 8
        return jsonify(pet), 201

    @app.get("/api/pets/<int:number>")
    def get_pet(number: int) -> Any:
        return jsonify({"id": number})

    @app.delete("/api/pets/<int:number>")
    def delete_pet(number: int) -> Any:
        return "", 204

    @app.post("/api/pets/<int:number>/photo")
    def add_photo(number: int) -> Any:
        assert request.files["photo"].read() == b"example"
        return jsonify({"id": number, "alt": request.form["alt"]})

    @app.post("/api/search")
    def search() -> Any:
        return jsonify({"found": request.form["q"]})

    @app.get("/api/owner")
    def get_owner() -> Any:
        login = request.authorization
        if not login or (login.username, login.password) != ("ada", "s3cret-pass"):
            return "", 401
        return jsonify({"name": "Ada"})

    return app
