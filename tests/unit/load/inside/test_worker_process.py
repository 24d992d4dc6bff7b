"""The output of a worker process that fails."""

import subprocess
import sys
from pathlib import Path

LOCUSTFILE = """
raise RuntimeError("cannot reach http://me:hunter2x9@db.example with k9-dL2x")
"""


def test_a_worker_shows_no_secret(tmp_path: Path) -> None:
    locustfile = tmp_path / "locustfile.py"
    locustfile.write_text(LOCUSTFILE)
    code = f"""
import locust, sys
from assay.load.inside import __main__ as inside
inside.join = lambda *_: ({str(locustfile)!r}, None)
sys.exit(inside.main("", "0", "worker:127.0.0.1:1", "{{}}"))
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"API_KEY": "k9-dL2x"},
        cwd=Path(__file__).parents[4],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 4
    assert "cannot reach http://***@db.example with ***" in done.stderr
