"""The full run of the guide's claims, and what is kept of it.

`assay run` measures every topic; the report, `results.json` and `summary.md` are
copied to `reports/reference/guide`, where `README.md` says of each sentence of the
guide what became of it. Samples stay behind: they are large.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from assay.run_directory.run import RunDirectory
from scripts.studies import guide_page

KEPT = ("index.html", "results.json", "summary.md")
REFERENCE = Path("reports/reference/guide")
# So many claims share their error that 13 launches are the first look that allows one
# of them to fall out of line. Only topics with something undecided go on to the second.
LAUNCHES = "13,15"
MEASURED = (0, 1, 3)  # exit codes of a run that was measured: hold, refuted, undecided


def measure(output: Path) -> None:
    """Run every topic.

    Raises:
        SystemExit: It could not be measured.
    """
    command = [sys.executable, "-m", "assay", "run", f"--launches={LAUNCHES}"]
    done = subprocess.run([*command, f"--output={output}"], check=False)
    if done.returncode not in MEASURED:
        raise SystemExit(done.returncode)


def keep(run: RunDirectory, into: Path) -> None:
    """Copy what is kept of a run, and write the page about the guide."""
    into.mkdir(parents=True, exist_ok=True)
    for name in KEPT:
        shutil.copyfile(run.path / name, into / name)
    text = guide_page.page(run.results(), guide_page.conditions(run))
    (into / "README.md").write_text(text, encoding="utf-8")
    print(f"wrote {into / 'README.md'}")


def main() -> None:
    """Measure unless there is a run already, and keep what it says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--run", type=Path, help="a run of all topics that is there already"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("reports/guide"),
        help="the run directory (%(default)s)",
    )
    given = parser.parse_args()
    if given.run is None:
        measure(given.output)
    keep(RunDirectory.open(given.run or given.output), REFERENCE)


if __name__ == "__main__":
    main()
