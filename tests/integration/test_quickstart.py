"""The example of the README runs, and says what the README says."""

import json
import subprocess
from pathlib import Path

from tests.integration.shop import ASSAY

EXAMPLE = Path(__file__).parents[2] / "examples" / "quickstart"


def test_the_example_of_the_readme_holds(tmp_path: Path) -> None:
    done = subprocess.run(
        [*ASSAY, "run", ".", "--output", str(tmp_path / "run"), "--no-profiles"],
        cwd=EXAMPLE,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert [claim["verdict"] for claim in results["claims"]] == ["holds"]
    assert (tmp_path / "run" / "index.html").exists()


def test_the_readme_shows_the_example_as_it_is() -> None:
    readme = (EXAMPLE.parents[1] / "README.md").read_text(encoding="utf-8")
    shown = readme.split("```toml\n")[1].split("```")[0]
    assert shown in (EXAMPLE / "claims.toml").read_text(encoding="utf-8")
