"""Finds the pytest nodes of a topic's benchmarks, and checks that they exist."""

import ast
from collections.abc import Iterator
from pathlib import Path

from assay.plan import Topic, Variant


def nodes_of(topic: Topic, variant: Variant) -> list[str]:
    """Return the pytest nodes of a variant, relative to the topic's folder.

    If the variant names a node, this is the only one. Otherwise the nodes are the files
    that match the topic's pattern.
    """
    if variant.tests is not None:
        return [variant.tests]
    pattern = topic.scenario.benchmarks
    if pattern is None:
        return []
    files = topic.folder.glob(pattern)
    return sorted(str(file.relative_to(topic.folder)) for file in files)


def check(topic: Topic) -> list[str]:
    """Return the problems of a topic's benchmarks, without running them.

    Each problem begins with the path of claims.toml and the key.

    Raises:
        OSError: A file cannot be examined, for example because its name is too long.
    """
    problems = []
    pattern = topic.scenario.benchmarks
    if pattern is not None and not any(topic.folder.glob(pattern)):
        problems.append(
            f"{topic.file}: scenario.benchmarks: no file matches {pattern!r} in "
            f"{topic.folder}"
        )
    for variant in topic.variants:
        place = f"{topic.file}: variants.{variant.name}.tests"
        if variant.tests is None and pattern is None:
            problems.append(
                f"{place}: missing, and scenario.benchmarks names no files either"
            )
        elif variant.tests is not None:
            if problem := _node_problem(topic.folder, variant.tests):
                problems.append(f"{place}: {problem}")
    return problems


def _node_problem(folder: Path, node: str) -> str:
    """Return the problem of a node such as ``a.py::Class::test[1]``; empty if none."""
    name, *path = node.partition("[")[0].split("::")
    file = folder / name
    if not name:
        return "names no file; write it as in bench_x.py::test_y"
    if not file.is_file():
        return f"{node!r}: there is no file {file}"
    try:
        tree = ast.parse(file.read_bytes(), filename=str(file))
    except (SyntaxError, ValueError) as error:
        return f"{file}: is not Python: {error}"
    scope: ast.Module | ast.ClassDef = tree
    for part in path:
        by_name = {item.name: item for item in _definitions(scope)}
        definition = by_name.get(part)
        if definition is None:
            # A test that is inherited or imported exists, but is not in this file.
            if _may_come_from_elsewhere(scope):
                return ""
            tests = sorted(x for x in by_name if x.lower().startswith("test"))
            listed = ", ".join(tests) or "no test"
            return f"{node!r}: {file} has no {part!r}; it has: {listed}"
        if isinstance(definition, ast.ClassDef):
            scope = definition
    return ""


type _Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def _definitions(scope: ast.AST) -> Iterator[_Definition]:
    """Yield the functions and classes of a scope, also those under `if` and `try`."""
    for item in ast.iter_child_nodes(scope):
        if isinstance(item, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield item
        else:
            yield from _definitions(item)


def _may_come_from_elsewhere(scope: ast.Module | ast.ClassDef) -> bool:
    """Say whether a scope may inherit or import tests that it does not define."""
    if isinstance(scope, ast.ClassDef):
        return bool(scope.bases)
    return any(
        alias.name == "*" or (alias.asname or alias.name).startswith(("test", "Test"))
        for item in ast.walk(scope)
        if isinstance(item, ast.ImportFrom)
        for alias in item.names
    )
