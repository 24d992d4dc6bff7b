"""A run stops if a variant does not do what its name says."""

import shutil
from pathlib import Path

from target_app.core.config import Settings
from target_app.services.users import PAGE_SIZE
from tests.integration import shop

REPOSITORY = Path(__file__).parents[3]
TOPIC = REPOSITORY / "scenarios" / "n_plus_one"
BROKEN = """\
from sqlalchemy.orm import lazyload

from target_app.practices import n_plus_one

n_plus_one.joinedload = lazyload
from target_app.main import app
"""


def test_a_run_stops_where_eager_loading_is_off(
    seeded: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "n_plus_one"
    shutil.copytree(TOPIC, folder)
    claims = (folder / "claims.toml").read_text()
    for old, new in (
        ("target_app.main:app", "broken:app"),
        ('cwd = "../.."', f'cwd = "{REPOSITORY}"'),
    ):
        assert old in claims
        claims = claims.replace(old, new)
    (folder / "claims.toml").write_text(claims)
    (tmp_path / "broken.py").write_text(BROKEN)

    done = shop.assay(
        folder,
        *("run", ".", "--no-profiles", "--output", "out"),
        PYTHONPATH=str(tmp_path),
        DATABASE_URL=str(seeded.database_url),
    )

    said = " ".join(done.stderr.split())
    assert done.returncode == 4, said
    assert "variant 'joined' does not do what its name says" in said
    assert f"psycopg query: {1 + PAGE_SIZE} per request, expected 1" in said
    assert "Traceback" not in said
    assert shop.left_behind(folder) == []
