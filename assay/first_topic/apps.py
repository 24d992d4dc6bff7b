"""Find the ASGI and WSGI apps of a project; its code is read, but not imported."""

import ast
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

type Interface = Literal["asgi", "wsgi"]
# The interface that a server needs for an app of each class.
CLASSES: dict[str, Interface] = {
    "FastAPI": "asgi",
    "Starlette": "asgi",
    "Litestar": "asgi",
    "Quart": "asgi",
    "Flask": "wsgi",
    "APIFlask": "wsgi",
}
DJANGO: dict[str, Interface] = {
    "get_wsgi_application": "wsgi",
    "get_asgi_application": "asgi",
}
SKIPPED = frozenset(
    {"__pycache__", "node_modules", "site-packages", "venv", "env", "build", "dist"}
    | {"test", "tests", "migrations"}
)
MAX_FILES = 5_000
MAX_BYTES = 1_000_000


@dataclass(frozen=True)
class App:
    """An app, or a function that makes one.

    Attributes:
        module: The module of the app, as its server imports it.
        name: The name of the app or the function in the module.
        framework: The name of the app's class, or ``Django``.
        interface: The interface that its server needs.
        factory: Whether `name` is a function that makes the app.
        root: The folder that the module is imported from.
    """

    module: str
    name: str
    framework: str
    interface: Interface
    factory: bool
    root: Path

    @property
    def spec(self) -> str:
        """What the user types: ``shop.main:app``."""
        return f"{self.module}:{self.name}"


@dataclass
class _Module:
    """What one file contains about apps.

    Attributes:
        path: The file.
        assigned: For each assigned name, the function or class whose call was assigned.
        factories: For each function that makes an app, the class that it calls.
        imports: The names that the file imports, and the top packages of its absolute
            imports.
    """

    path: Path
    assigned: dict[str, str] = field(default_factory=dict)
    factories: dict[str, str] = field(default_factory=dict)
    imports: frozenset[str] = frozenset()


def find(folder: Path) -> list[App]:
    """Return the apps of a project, sorted by module and name.

    A factory is left out if a module assigns the app that the factory makes, or if its
    own module assigns an app.
    """
    modules = [parsed for path in _files(folder) if (parsed := _read(path))]
    makers = {name: cls for one in modules for name, cls in one.factories.items()}
    apps: list[App] = []
    used: set[str] = set()
    with_app: set[Path] = set()
    for module in modules:
        for name, callee in module.assigned.items():
            cls = makers.get(callee, callee)
            if interface := _interface(cls):
                used.add(callee)
                with_app.add(module.path)
                apps.append(_app(module, name, cls, interface, False, folder))
    for module in modules:
        for name, cls in module.factories.items():
            if name not in used and module.path not in with_app:
                apps.append(_app(module, name, cls, CLASSES[cls], True, folder))
    return sorted(_one_per_site(apps), key=lambda app: app.spec)


def named(spec: str, folder: Path, apps: Sequence[App]) -> App | None:
    """Return the app that the user names: ``shop.main:app`` or ``shop.main:make()``.

    Args:
        spec: What the user typed. A module alone stands for the only app of the module,
            or for the name ``app`` if the module has no app or several.
        folder: The folder of the project.
        apps: The apps that `find` has found in the folder.

    Returns:
        The app; None if its file was not found or its interface is unknown.
    """
    module, _, name = spec.partition(":")
    is_call = name.endswith("()")
    name = name.removesuffix("()")
    same = [app for app in apps if app.module == module and name in ("", app.name)]
    if len(same) == 1:
        return same[0]
    name = name or "app"
    relative = Path(*module.split("."))
    for root in (folder, folder / "src"):
        for path in (
            root / relative.with_suffix(".py"),
            root / relative / "__init__.py",
        ):
            parsed = _read(path) if path.is_file() else None
            if parsed is None:
                continue
            factory = is_call or name in parsed.factories
            callee = parsed.factories.get(name) or parsed.assigned.get(name, "")
            kinds = {callee} if _interface(callee) else parsed.imports
            interfaces = {kind for one in kinds if (kind := _interface(one))}
            if len(interfaces) == 1:
                framework = next(one for one in sorted(kinds) if _interface(one))
                (interface,) = interfaces
                return App(module, name, framework, interface, factory, root)
    return None


def _interface(name: str) -> Interface | None:
    return CLASSES.get(name) or DJANGO.get(name)


def _app(
    module: _Module,
    name: str,
    cls: str,
    interface: Interface,
    factory: bool,
    folder: Path,
) -> App:
    root = _import_root(module, folder)
    relative = module.path.relative_to(root).with_suffix("")
    parts = relative.parts[:-1] if relative.name == "__init__" else relative.parts
    framework = "Django" if cls in DJANGO else cls
    return App(".".join(parts), name, framework, interface, factory, root)


def _one_per_site(apps: Sequence[App]) -> Iterator[App]:
    """Yield the apps, but no Django ASGI app whose package also has a WSGI app."""
    sites = {
        app.module.rpartition(".")[0]
        for app in apps
        if (app.framework, app.interface) == ("Django", "wsgi")
    }
    for app in apps:
        is_second = app.framework == "Django" and app.interface == "asgi"
        if not (is_second and app.module.rpartition(".")[0] in sites):
            yield app


def _import_root(module: _Module, folder: Path) -> Path:
    """Return the folder that a server must import a file from.

    This is the project's folder, or the folder that holds the file's outermost package.
    The latter is returned for `src/` layouts, for folders whose names cannot be
    imported, and for files that import neighbours which the project's folder lacks.
    """
    root = module.path.parent
    while root != folder and (root / "__init__.py").is_file():
        root = root.parent
    if root == folder:
        return folder
    neighbours = {
        name
        for name in module.imports
        if (root / f"{name}.py").is_file() or (root / name).is_dir()
    }
    at_home = {
        name
        for name in neighbours
        if (folder / f"{name}.py").is_file() or (folder / name).is_dir()
    }
    parts = root.relative_to(folder).parts
    importable = all(part.isidentifier() for part in parts) and parts[0] != "src"
    return folder if importable and not neighbours - at_home else root


def _files(folder: Path) -> Iterator[Path]:
    """Yield the Python files of a project, at most `MAX_FILES`.

    Tests, migrations, hidden folders and virtual environments are left out.
    """
    count = 0
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if name not in SKIPPED
            and not name.startswith(".")
            and not os.path.exists(os.path.join(parent, name, "pyvenv.cfg"))
        )
        for name in sorted(files):
            if name.endswith(".py") and not name.startswith(("test_", "conftest")):
                yield Path(parent, name)
                count += 1
                if count >= MAX_FILES:
                    return


def _read(path: Path) -> _Module | None:
    """Return what a file contains; None if it is too large or not valid Python."""
    try:
        if path.stat().st_size > MAX_BYTES:
            return None
        source = path.read_bytes()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # these concern the project's code
            tree = ast.parse(source)
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    module = _Module(path)
    aliases: dict[str, str] = {}
    imported: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            aliases.update({n.asname or n.name: n.name for n in node.names})
            imported |= {n.name for n in node.names}
            if node.module and not node.level:
                imported.add(node.module.partition(".")[0])
        elif isinstance(node, ast.Import):
            imported |= {n.name.partition(".")[0] for n in node.names}
    module.imports = frozenset(imported)
    for statement in _statements(tree.body):
        if isinstance(statement, ast.FunctionDef):
            _read_factory(statement, aliases, module)
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            _read_assignment(statement, aliases, module)
    return module


def _statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a module, also those inside `if`, `try` and `with`.

    The parts of `if __name__ == "__main__"` and exception handlers are left out.
    """
    for statement in body:
        yield statement
        if isinstance(statement, ast.If) and "__main__" in ast.dump(statement.test):
            continue
        if isinstance(statement, ast.If | ast.Try | ast.With):
            yield from _statements(statement.body)
            for part in ("orelse", "finalbody"):
                yield from _statements(getattr(statement, part, []))


def _read_assignment(
    statement: ast.Assign | ast.AnnAssign, aliases: dict[str, str], module: _Module
) -> None:
    targets = (
        statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    )
    callee = _callee(statement.value, aliases)
    for target in targets:
        if callee and isinstance(target, ast.Name):
            module.assigned[target.id] = callee


def _read_factory(
    function: ast.FunctionDef, aliases: dict[str, str], module: _Module
) -> None:
    """Keep a function that makes an app and needs no arguments.

    The function's name must contain `app`, and the function must call one of `CLASSES`.
    """
    arguments = function.args
    needed = len(arguments.posonlyargs) + len(arguments.args) - len(arguments.defaults)
    needed += sum(default is None for default in arguments.kw_defaults)
    if "app" not in function.name or needed:
        return
    for node in ast.walk(function):
        callee = _callee(node, aliases)
        if callee in CLASSES:
            module.factories[function.name] = callee
            return


def _callee(node: ast.AST | None, aliases: dict[str, str]) -> str:
    """Return the name of the function or class that a call calls.

    An alias is replaced by the imported name. The name is empty for other nodes.
    """
    if not isinstance(node, ast.Call):
        return ""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    if isinstance(node.func, ast.Name):
        return aliases.get(node.func.id, node.func.id)
    return ""
