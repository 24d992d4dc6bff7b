"""A target that stops answering: Assay keeps the time budget, and reports it."""

import time
from pathlib import Path

import pandas as pd
import pytest

from tests.integration import shop

BUDGET = 10
# Seconds to start Assay, the servers and the generator, on a busy machine.
START_UP = 30

# After a number of requests, or of seconds under load, the service stops answering and
# does nothing. At most `PAUSE` of the time between two requests counts as load, so even
# on a slow machine that sends few requests the seconds add up.
FREEZES = shop.APP.replace(
    "served = 0\n",
    """\
import time
FREEZE_REQUESTS = int(os.environ.get("FREEZE_REQUESTS", "0"))
FREEZE_SECONDS = float(os.environ.get("FREEZE_SECONDS", "0"))
PAUSE = 0.05
loaded = last = 0.0
served = 0
""",
    1,
).replace(
    "    burn(WORK)\n",
    """\
    global loaded, last
    now = time.monotonic()
    loaded, last = loaded + min(now - last, PAUSE), now
    if FREEZE_REQUESTS and served > FREEZE_REQUESTS:
        await asyncio.Event().wait()
    if FREEZE_SECONDS and loaded > FREEZE_SECONDS:
        await asyncio.Event().wait()
    burn(WORK)
""",
)


def frozen(folder: Path, after: str) -> tuple[Path, int, str, float]:
    """Run a topic whose candidate freezes; `after` is a variable that says when.

    Returns:
        The run directory, the exit code, the output, and the seconds that it took.
    """
    claims = shop.CLAIMS.replace('WORK = "6" }', f'WORK = "6", {after} }}')
    shop.write(folder, app=FREEZES, claims=claims)
    began = time.monotonic()
    done = shop.assay(folder, "run", ".", "--budget", str(BUDGET), "--output", "out")
    took = time.monotonic() - began
    assert shop.left_behind(folder) == []
    said = " ".join((done.stdout + done.stderr).split())
    return folder / "out", done.returncode, said, took


# The target freezes in the blocks of the first launch, or in the trials before them.
@pytest.mark.parametrize("seconds", [0.8, 0.45])
def test_a_target_that_freezes_while_it_is_measured(
    tmp_path: Path, seconds: float
) -> None:
    after = f'FREEZE_SECONDS = "{seconds}"'
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
    requests = f'FREEZE_REQUESTS = "{after}"'
    _, code, said, took = frozen(tmp_path / "shop", requests)
    assert took < BUDGET + START_UP
    assert code == 4, said
    assert "variant 'less' did not answer" in said
    assert "Traceback" not in said
