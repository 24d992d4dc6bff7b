import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.errors import InputError
from assay.first_topic.openapi.document import Document, parse
from assay.first_topic.openapi.operations import tasks
from assay.first_topic.openapi.patterns import NotSimpleError, matching
from assay.first_topic.openapi.values import Maker, NoValueError
from assay.first_topic.request import Request, Task


def document(paths: dict[str, Any], **more: Any) -> Document:
    """Return a document of version 3.1."""
    return Document({"openapi": "3.1.0", "paths": paths, **more}, "test")


def only(operation: dict[str, Any], path: str = "/a", **more: Any) -> Task:
    """Return the task of the only operation of a document."""
    (task,), _ = tasks(document({path: {"get": operation}}, **more), "")
    return task


def request(operation: dict[str, Any], path: str = "/a", **more: Any) -> Request:
    """Return the request of the only operation of a document."""
    task = only(operation, path, **more)
    assert task.request is not None, task.off
    return task.request


def value(schema: Any, **schemas: Any) -> Any:
    """Return a value of a schema."""
    return Maker(document({}, components={"schemas": schemas})).value(schema)


def parameter(place: str, name: str, schema: Any, **more: Any) -> dict[str, Any]:
    return {"in": place, "name": name, "required": True, "schema": schema, **more}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "integer", "example": 7, "default": 8}, 7),
        ({"type": "integer", "examples": [7]}, 7),
        ({"type": "integer", "default": 8, "enum": [9]}, 8),
        ({"enum": [9, 10]}, 9),
        ({"const": "x"}, "x"),
        ({"type": "integer", "minimum": 5}, 5),
        ({"type": "integer", "exclusiveMinimum": 5}, 6),
        ({"type": "integer", "minimum": 5, "exclusiveMinimum": True}, 6),
        ({"type": "integer", "maximum": -3}, -3),
        ({"type": "integer", "minimum": 10, "multipleOf": 4}, 12),
        ({"type": "number", "exclusiveMaximum": 0}, -0.5),
        ({"type": "number", "exclusiveMinimum": 1, "maximum": 10}, 1.5),
        ({"type": "integer", "exclusiveMinimum": 1.5, "maximum": 2}, 2),
        ({"type": "integer", "exclusiveMaximum": 0.5}, 0),
        ({"type": ["null", "boolean"]}, True),
        ({"type": "null"}, None),
        ({"type": "string", "minLength": 8}, "stringgg"),
        ({"type": "string", "maxLength": 3}, "str"),
        ({"type": "string", "format": "date"}, "2025-01-15"),
        ({"type": "string", "pattern": r"^\d{3}-[A-Z]{2}$"}, "111-AA"),
        ({"type": "array", "items": {"type": "integer"}}, [1]),
        ({"type": "array", "items": {"type": "integer"}, "minItems": 2}, [1, 1]),
        ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, 1),
        ({"oneOf": [{"$ref": "#/nowhere"}, {"type": "integer"}]}, 1),
        (
            {
                "required": ["a"],
                "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
            },
            {"a": 1},
        ),
        ({"properties": {"a": {"example": 1}, "b": {"type": "integer"}}}, {"a": 1}),
        (
            {
                "allOf": [
                    {"required": ["a"], "properties": {"a": {"const": 1}}},
                    {"required": ["b"], "properties": {"b": {"const": 2}}},
                ]
            },
            {"a": 1, "b": 2},
        ),
        (True, "string"),
    ],
)
def test_a_value_of_a_schema(schema: Any, expected: Any) -> None:
    made = value(schema)
    assert made == expected and type(made) is type(expected)


@pytest.mark.parametrize(
    ("low", "high"), [(0, 0.3), (0.9, 1.1), (5, 5.1), (-0.3, 0), (-7, 7), (1, 3)]
)
@pytest.mark.parametrize("old", [False, True])
def test_a_number_lies_between_excluded_limits(
    low: float, high: float, old: bool
) -> None:
    schema: dict[str, Any] = {"exclusiveMinimum": low, "exclusiveMaximum": high}
    if old:
        schema = {"minimum": low, "maximum": high, **dict.fromkeys(schema, True)}
    assert low < value({"type": "number", **schema}) < high


def test_recursive_schemas_end() -> None:
    ref = {"$ref": "#/components/schemas/Node"}
    node = {
        "type": "object",
        "required": ["name", "children", "next"],
        "properties": {
            "name": {"const": "n"},
            "children": {"type": "array", "items": ref},
            "next": {"anyOf": [ref, {"type": "null"}]},
        },
    }
    assert value(ref, Node=node) == {"name": "n", "children": [], "next": None}
    endless = {"type": "object", "required": ["self"], "properties": {"self": ref}}
    with pytest.raises(NoValueError, match="requires itself"):
        value(ref, Node=endless)
    with pytest.raises(NoValueError):
        value(ref, Node=ref)


def test_schemas_that_double_do_not_take_for_ever() -> None:
    schemas = {
        f"S{n}": {
            "required": ["a", "b"],
            "properties": {
                key: {"$ref": f"#/components/schemas/S{n + 1}"} for key in "ab"
            },
        }
        for n in range(30)
    }
    with pytest.raises(NoValueError, match="too many values"):
        value({"$ref": "#/components/schemas/S0"}, **schemas, S30={"type": "string"})


def test_a_discriminator_says_which_alternative_it_is() -> None:
    cat = {"required": ["kind"], "properties": {"kind": {"type": "string"}}}
    schema = {
        "oneOf": [{"$ref": "#/components/schemas/Cat"}],
        "discriminator": {
            "propertyName": "kind",
            "mapping": {"meow": "#/components/schemas/Cat"},
        },
    }
    assert value(schema, Cat=cat) == {"kind": "meow"}


SCHEMAS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=5)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            """$ref type properties required items allOf anyOf oneOf enum const default
            example examples format pattern minimum maximum exclusiveMinimum multipleOf
            minLength maxLength minItems maxItems nullable parameters name in schema
            requestBody content security summary operationId get post application/json
            servers url style explode discriminator propertyName mapping""".split()
        )
        | st.text(max_size=3),
        inner
        | st.sampled_from(
            ["#", "#/paths", "string", "object", "array", "integer", "path", "query"]
        ),
        max_size=5,
    ),
    max_leaves=25,
)


@given(
    st.dictionaries(st.text(max_size=5).map("/{}".format), SCHEMAS, max_size=3), SCHEMAS
)
def test_no_document_makes_it_fail(paths: dict[str, Any], rest: Any) -> None:
    more = rest if isinstance(rest, dict) else {}
    content = {**more, "openapi": "3.0.0", "paths": paths}
    read = parse(json.dumps(content), "test")
    found, _ = tasks(read, read.prefix)
    names = [task.identifier for task in found]
    assert len(set(names)) == len(names)
    assert all(task.request or task.off for task in found)


@given(SCHEMAS)
def test_no_schema_makes_it_fail(schema: Any) -> None:
    try:
        made = value(schema)
    except NoValueError:
        return
    json.dumps(made)


@pytest.mark.parametrize(
    "pattern",
    [
        r"^\d{3}-[A-Z]{2}$",
        r"^[a-z][a-z0-9_-]{2,30}$",
        r"^(foo|bar)+\.x?$",
        r"^\+?[1-9]\d{1,14}$",
        r"^[^/]+/v\d+$",
        r"^(?:GET|POST) \S+$",
        r"^[\w.-]+@[\w.-]+\.[a-z]{2,}$",
        r"^$",
        "^#[0-9a-fA-F]{6}$",
        r"^[^\w]$",
        r"^[^\d\s]+-[^\W\d]$",
        r"^[^a\d-]$",
    ],
)
def test_simple_patterns_are_matched(pattern: str) -> None:
    assert re.search(pattern, matching(pattern))


@given(st.text("ab1.-_[](){}|*+?^$\\dw,0:", max_size=25))
def test_no_pattern_makes_it_fail(pattern: str) -> None:
    try:
        matching(pattern)
    except NotSimpleError:
        pass


def test_parameters_go_where_they_belong() -> None:
    made = request(
        {
            "parameters": [
                parameter("path", "id", {"const": "a/b c"}),
                parameter("query", "q", {"const": "x&y"}),
                parameter("query", "many", {"const": ["a", "b"]}),
                parameter(
                    "query", "piped", {"const": ["a", "b"]}, style="pipeDelimited"
                ),
                parameter("query", "deep", {"const": {"a": 1}}, style="deepObject"),
                parameter("header", "X-A", {"const": 5}),
                parameter("cookie", "c", {"const": "v"}),
                {"in": "query", "name": "optional", "schema": {"type": "string"}},
            ]
        },
        "/things/{id}/new",
    )
    assert made.path.parts == (
        "/things/a%2Fb%20c/new",
        "?",
        "q=x%26y",
        "&",
        "many=a",
        "&",
        "many=b",
        "&",
        "piped=a%7Cb",
        "&",
        "deep%5Ba%5D=1",
    )
    assert made.name == "/things/{id}/new"
    assert {name: part.parts for name, part in made.headers.items()} == {
        "X-A": ("5",),
        "Cookie": ("c=", "v"),
    }


@pytest.mark.parametrize(
    ("scheme", "expected"),
    [
        (
            {"type": "http", "scheme": "bearer"},
            {"Authorization": "Bearer API_TOKEN"},
        ),
        ({"type": "oauth2"}, {"Authorization": "Bearer API_TOKEN"}),
        ({"type": "apiKey", "in": "header", "name": "X-K"}, {"X-K": "API_KEY"}),
        ({"type": "apiKey", "in": "cookie", "name": "k"}, {"Cookie": "k=API_KEY"}),
    ],
)
def test_secrets_come_from_the_environment(
    scheme: dict[str, Any], expected: dict[str, str]
) -> None:
    made = request(
        {"security": [{"s": []}]}, components={"securitySchemes": {"s": scheme}}
    )
    values = {name: name for name in ("API_TOKEN", "API_KEY")}
    assert {n: part.filled(values) for n, part in made.headers.items()} == expected


def test_a_scheme_that_is_not_supported_switches_off() -> None:
    task = only({"security": [{"mutual": []}]})
    assert task.request is None
    assert task.off == "the security scheme 'mutual' is not described"


@pytest.mark.parametrize(
    ("path", "off"),
    [
        ("http://other/", "its path does not begin with /"),
        ("/a/{x}", ""),
        ("/a\nb", ""),
    ],
)
def test_a_path_stays_a_path_of_the_service(path: str, off: str) -> None:
    task = only({}, path)
    assert task.off == off
    if task.request:
        sent = task.request.path.filled({})
        assert sent.startswith("/") and sent.isascii() and sent.isprintable()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "line 1, column 2"),
        ("[]", "got neither"),
        ('{"openapi": "3.0.0"}', "paths: expected an object"),
        ('{"openapi": "9", "paths": {}}', "got 9"),
        ("openapi: 3.0.0", "it looks like YAML"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a": 1e999}', "too large"),
        ('{"a": NaN}', "NaN is not JSON"),
        (b"\xff\xfe", "not UTF-8"),
        ('{"a": ' + "9" * 5000 + "}", "4300 digits"),
    ],
)
def test_what_is_no_document_is_refused(content: str | bytes, said: str) -> None:
    with pytest.raises(InputError, match=re.escape(said)):
        parse(content, "x.json")


@pytest.mark.parametrize(
    ("more", "prefix"),
    [
        ({"servers": [{"url": "https://shop.example/api/v1/"}]}, "/api/v1"),
        ({"servers": [{"url": "/{v}", "variables": {"v": {"default": "2"}}}]}, "/2"),
        ({"servers": [{"url": "https://["}]}, ""),
        ({"swagger": "2.0", "basePath": "/api"}, "/api"),
        ({}, ""),
    ],
)
def test_the_prefix_of_a_document(more: dict[str, Any], prefix: str) -> None:
    assert document({}, **more).prefix == prefix
