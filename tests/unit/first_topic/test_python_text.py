import ast
import subprocess
import sys

import black
from hypothesis import example, given, settings
from hypothesis import strategies as st

from assay.first_topic import claims
from assay.first_topic.locustfile import Journey, render
from assay.first_topic.names import RESERVED, identifier, unique, variable
from assay.first_topic.python_text import docstring, literal, text
from assay.first_topic.request import (
    Body,
    Credential,
    Gap,
    Read,
    Request,
    Task,
    Template,
)

HOSTILE = st.text(max_size=40) | st.sampled_from(
    [
        '"""',
        "'''; import os #",
        '\\"""\nimport os',
        "{__import__('os')}",
        "\\",
        "\\N{DASH}",
        "a'b\"c\\",
        "\ud800",
        "\r\n\x00\x85\u2028",
        "# coding: latin-1",
        "\ue000{x}",
        "Ωmega",
    ]
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | HOSTILE,
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(HOSTILE, inner, max_size=3),
    max_leaves=8,
)
GAPS = st.builds(
    Gap,
    st.just("SECRET"),
    st.just("environment"),
    st.sampled_from(["", "path", "query"]),
)
TEMPLATES = st.lists(HOSTILE | GAPS, max_size=4).map(lambda p: Template(tuple(p)))


@given(HOSTILE)
@example("both ' and \"")
@example("\\'")
def test_a_text_is_one_literal_of_itself(content: str) -> None:
    assert ast.literal_eval(text(content)) == content


@given(JSON, st.integers(0, 40), st.integers(0, 40))
def test_a_value_is_read_back_as_it_was(value: object, indent: int, used: int) -> None:
    assert ast.literal_eval(literal(value, indent, used)) == value


@given(TEMPLATES)
def test_the_gaps_of_a_template_are_its_only_code(template: Template) -> None:
    source = literal(template)
    names = {"SECRET": "<s>", "quote": str, "quote_plus": str}
    for node in ast.walk(ast.parse(source, mode="eval")):
        if isinstance(node, ast.Name):
            assert node.id in names
        assert not isinstance(node, ast.Attribute)
    gaps = any(isinstance(part, Gap) for part in template.parts)
    expected = "".join(
        "<s>" if isinstance(part, Gap) else _replaced(part) if gaps else part
        for part in template.parts
    )
    assert eval(source, dict(names)) == expected


def _replaced(part: str) -> str:
    return "".join("\ufffd" if "\ue000" <= c <= "\uf8ff" else c for c in part)


@given(HOSTILE)
def test_a_docstring_stays_one(content: str) -> None:
    (statement,) = ast.parse(docstring(content)).body
    assert isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


@given(HOSTILE, st.sampled_from(["get", "post"]))
def test_names_can_be_those_of_functions(content: str, method: str) -> None:
    name = identifier(content, method)
    ast.parse(f"def {name}(): pass")
    assert name not in RESERVED and not name.startswith("_")
    assert variable(content, "SECRET").isidentifier()


def test_names_are_unique() -> None:
    assert unique("a", {"a", "a_2"}) == "a_3"
    assert variable("x-api-key", "") == "API_KEY"
    assert identifier("listPets", "get") == "list_pets"
    assert identifier("import", "get") == "get_import"


def test_no_function_replaces_an_attribute_of_locust() -> None:
    code = (
        "from locust import FastHttpUser as F, SequentialTaskSet as S\n"
        "print(*dir(F), *dir(S), *vars(S(F)), sep='\\n')"
    )
    code = code.replace(", *vars(S(F))", "")
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    names = {name for name in said.split() if not name.startswith("_")}
    assert names and names <= RESERVED


TASKS = st.builds(
    Task,
    identifier=HOSTILE.map(lambda words: identifier(words, "get")),
    title=HOSTILE,
    label=HOSTILE.map(lambda path: f"GET {path}"),
    request=st.none()
    | st.builds(
        Request,
        method=st.sampled_from(["GET", "POST", "TRACE"]),
        path=TEMPLATES,
        name=HOSTILE,
        headers=st.dictionaries(HOSTILE, TEMPLATES, max_size=2),
        reads=st.lists(
            st.builds(
                Read,
                HOSTILE.map(lambda words: identifier(words, "value")),
                st.lists(HOSTILE | st.integers(), max_size=2).map(tuple),
                st.just("") | HOSTILE,
            ),
            max_size=2,
        ).map(tuple),
        body=st.none()
        | st.builds(Body, st.just("json"), JSON)
        | st.builds(Body, st.just("form"), st.dictionaries(HOSTILE, HOSTILE))
        | st.builds(Body, st.just("multipart"), st.dictionaries(HOSTILE, TEMPLATES))
        | st.builds(Body, st.just("raw"), HOSTILE),
    ),
    off=HOSTILE,
    advice=HOSTILE,
).map(lambda task: task if task.request else Task(**{**vars(task), "off": "no"}))


@settings(max_examples=200)
@given(HOSTILE, HOSTILE, st.lists(TASKS, max_size=3), st.booleans())
def test_no_text_of_a_document_becomes_code(
    title: str, source: str, tasks: list[Task], in_order: bool
) -> None:
    secret = Credential("SECRET", source)
    written = render(Journey(title, source, tuple(tasks), (secret,), in_order))
    written.encode("utf-8")
    allowed = (ast.Expr, ast.Import, ast.ImportFrom, ast.Assign, ast.ClassDef)
    for statement in ast.parse(written).body:
        assert isinstance(statement, allowed)
        for inner in statement.body if isinstance(statement, ast.ClassDef) else ():
            assert isinstance(inner, ast.Expr | ast.FunctionDef | ast.Assign)
            for call in inner.body if isinstance(inner, ast.FunctionDef) else ():
                assert isinstance(call, ast.Expr | ast.Assign)
    known = {"os", "self", "SECRET", "FastHttpUser", "SequentialTaskSet", "task"}
    known |= {"quote", "quote_plus", "Journey", "tasks"}
    known |= {"answer", "cookies", "cookie", "str"}
    names = {n.id for n in ast.walk(ast.parse(written)) if isinstance(n, ast.Name)}
    assert names - {"None"} <= known


def test_what_is_written_is_in_the_layout_of_black() -> None:
    many = {f"field {n}": ["a 'quoted' \"text\"", {"deep": n}] for n in range(9)}
    tasks = (
        Task("a", "One", "GET /a", Request("GET", Template(("/a",)), "/a")),
        Task(
            "b",
            "Two",
            "POST /b",
            Request(
                "POST",
                Template(("/b/", Gap("SECRET", "environment", "path"), "?x=1")),
                "/b/{id}",
                {"Authorization": Template(("Bearer ", Gap("SECRET", "environment")))},
                Body("json", many),
            ),
        ),
        Task("c", "Three", "GET /c", None, "it cannot be made", "write it"),
    )
    secret = Credential("SECRET", "the token")
    for in_order in (False, True):
        written = render(Journey("A shop", "/openapi.json", tasks, (secret,), in_order))
        assert black.format_str(written, mode=black.Mode()) == written


@given(HOSTILE, HOSTILE)
def test_claims_stay_toml(title: str, command: str) -> None:
    import tomllib

    content = claims.render(
        title, claims.FirstTarget(command=command, env={title: title})
    )
    read = tomllib.loads(content)
    assert set(read) == {"title", "target", "scenario"}
    assert set(read["target"]) == {"command", "cwd", "ready", "env"}
