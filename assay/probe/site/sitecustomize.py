"""Start the probe, then run the `sitecustomize` that this file hides.

Python imports the module `sitecustomize` at the start of every process.
"""

import importlib
import importlib.machinery
import importlib.util
import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))


def _start_probe() -> None:
    """Import the probe and start it.

    The probe gets another name, since `assay` may not be importable in the target.
    """
    folder = os.path.dirname(_HERE)
    spec = importlib.util.spec_from_file_location(
        "_assay_probe",
        os.path.join(folder, "__init__.py"),
        submodule_search_locations=[folder],
    )
    if spec is None or spec.loader is None:
        raise ImportError(folder)
    module = importlib.util.module_from_spec(spec)
    sys.modules["_assay_probe"] = module
    spec.loader.exec_module(module)
    importlib.import_module("_assay_probe.start").start()


def _run_hidden() -> None:
    """Run the `sitecustomize` that would have been found without the probe."""
    path = [entry for entry in sys.path if os.path.abspath(entry or ".") != _HERE]
    sys.path[:] = path
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", path)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


if os.environ.get("ASSAY_PROBE"):
    try:
        _start_probe()
    except Exception as error:
        # The target must start even if the probe cannot.
        print(f"assay: the probe could not start: {error!r}", file=sys.stderr)
_run_hidden()
