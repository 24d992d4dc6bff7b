"""A target that stops answering: the time budget is kept, and it is said."""

import time
from pathlib import Path

import pandas as pd
import pytest

from tests.integration import shop

BUDGET = 10
# For the start of Assay, of the servers and of the generator, on a busy machine.
START_UP = 30

# After so many requests it answers nobody any more, and does nothing.
FREEZES = shop.APP.replace(
    "served = 0\n",
    'FREEZE_AFTER = int(os.environ.get("FREEZE_AFTER", "0"))\nserved = 0\n',
    1,
).replace(
    "    burn(WORK)\n",
    "    if FREEZE_AFTER and served > FREEZE_AFTER:\n"
    "        await asyncio.Event().wait()\n"
    "    burn(WORK)\n",
)


def frozen(folder: Path, after: int) -> tuple[Path, int, str, float]:
    """Run against a candidate that freezes after so many requests."""
    claims = shop.CLAIMS.replace(
        'WORK = "6" }', f'WORK = "6", FREEZE_AFTER = "{after}" }}'
    )
    shop.write(folder, app=FREEZES, claims=claims)
    began = time.monotonic()
    done = shop.assay(folder, "run", ".", "--budget", str(BUDGET), "--output", "out")
    took = time.monotonic() - began
    assert shop.left_behind(folder) == []
    said = " ".join((done.stdout + done.stderr).split())
    return folder / "out", done.returncode, said, took


@pytest.mark.parametrize("after", [1500, 700])
def test_a_target_that_freezes_while_it_is_measured(tmp_path: Path, after: int) -> None:
    out, code, said, took = frozen(tmp_path / "shop", after)
    assert took < BUDGET + START_UP
    assert code != 0, said
    assert "did not answer" in said
    if (out / "slices.parquet").is_file():
        slices = pd.read_parquet(out / "slices.parquet")
        hung = slices[slices["unserved"] > 0]
        assert not set(hung["why"]) & {"neighbour", "stall", "generator"}
    results = shop.results(out)
    assert all(claim["verdict"] == "undecided" for claim in results["claims"])


@pytest.mark.parametrize("after", [1, 40])
def test_a_target_that_freezes_at_once_is_not_measured(
    tmp_path: Path, after: int
) -> None:
    _, code, said, took = frozen(tmp_path / "shop", after)
    assert took < BUDGET + START_UP
    assert code == 4, said
    assert "variant 'less' did not answer" in said
    assert "Traceback" not in said
