"""Runs all claims of the guide, and publishes a copy of the results.

`assay run` measures every topic. The report, `results.json` and `summary.md` are
copied to `reports/reference/guide`, where `README.md` gives the verdict on each
sentence of the guide. Samples are not copied, because they are large.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from assay.run_directory.run import RunDirectory
from scripts.studies import guide_page

PUBLISHED_FILES = ("index.html", "results.json", "summary.md")
REFERENCE = Path("reports/reference/guide")
# Many claims share the error rate. With 13 launches a claim can still be decided if one
# launch is an outlier; with fewer it cannot. Only undecided topics go on to 15
# launches.
LAUNCHES = "13,15"
MEASURED = (0, 1, 3)  # exit codes of a measured run: all hold, one refuted, undecided


def measure(output: Path) -> None:
    """Run every topic.

    Raises:
        SystemExit: The run could not be measured.
    """
    command = [sys.executable, "-m", "assay", "run", f"--launches={LAUNCHES}"]
    ended = subprocess.run([*command, f"--output={output}"], check=False)
    if ended.returncode not in MEASURED:
        raise SystemExit(ended.returncode)


def publish(run: RunDirectory, folder: Path) -> None:
    """Copy the published files of a run, and write the page about the guide."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in PUBLISHED_FILES:
        shutil.copyfile(run.path / name, folder / name)
    text = guide_page.page(run.results(), guide_page.conditions(run))
    (folder / "README.md").write_text(text, encoding="utf-8")
    print(f"wrote {folder / 'README.md'}")


def main() -> None:
    """Measure, unless a run is given, and publish its results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--run", type=Path, help="publish this run of all topics; measure nothing"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("reports/guide"),
        help="the run directory (%(default)s)",
    )
    options = parser.parse_args()
    if options.run is None:
        measure(options.output)
    publish(RunDirectory.open(options.run or options.output), REFERENCE)


if __name__ == "__main__":
    main()
