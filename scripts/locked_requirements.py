"""Print poetry.lock as a pip requirements file with hashes, for this interpreter.

`scripts/setup` installs with pip, so that a fresh machine needs only Python, and not
Poetry. The lock file stays the only list of versions. All extras and groups are
included. `--no-dev` leaves out what only the tests and checks of this project need;
`--only EXTRA` prints just the packages that this extra needs, directly or indirectly.
"""

import importlib.util
import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).parent.parent
EXTRAS = ("services", "target")


def load_by_path(file: Path) -> ModuleType:
    """Load one file as a module; `import assay` needs packages not installed yet."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec and spec.loader, file
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


poetry_lock = load_by_path(ROOT / "assay" / "subject" / "poetry_lock.py")


def applies(package: dict[str, Any]) -> bool:
    """Say whether a locked package is needed on this interpreter."""
    return bool(poetry_lock.applies(package, EXTRAS))


def needed_without_dev(package: dict[str, Any]) -> bool:
    """Say whether Assay, its extras or its installation need a locked package."""
    installs_assay = package["name"] == "poetry-core"
    return installs_assay or bool(poetry_lock.applies(package, EXTRAS, ("main",)))


def main() -> int:
    """Write one pinned, hashed line for each package to standard output."""
    lock = tomllib.loads((ROOT / "poetry.lock").read_text(encoding="utf-8"))
    packages = [package for package in lock["package"] if applies(package)]
    if sys.argv[1:] == ["--no-dev"]:
        packages = [package for package in packages if needed_without_dev(package)]
    elif sys.argv[1:2] == ["--only"]:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        requirements = project["project"]["optional-dependencies"][sys.argv[2]]
        by_name = {poetry_lock.normalised(x["name"]): x for x in lock["package"]}
        only = poetry_lock.needed(by_name, requirements)
        packages = [x for x in packages if poetry_lock.normalised(x["name"]) in only]
    print("\n".join(poetry_lock.requirement_lines(packages, lock, ROOT)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
