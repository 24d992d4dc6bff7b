"""Which locked packages scripts/setup installs."""

from typing import Any

import pytest

from scripts.locked_requirements import applies

NEVER = 'sys_platform == "nowhere"'


@pytest.mark.parametrize(
    ("package", "wanted"),
    [
        ({"groups": ["main"]}, True),
        ({"groups": ["main"], "markers": NEVER}, False),
        ({"groups": ["main"], "markers": 'python_version >= "3"'}, True),
        ({"groups": ["main", "dev"], "markers": {"main": NEVER, "dev": NEVER}}, False),
        # A group without a marker always wants it.
        ({"groups": ["main", "dev"], "markers": {"main": NEVER}}, True),
    ],
)
def test_a_package_is_wanted_where_a_group_wants_it(
    package: dict[str, Any], wanted: bool
) -> None:
    assert applies(package) is wanted
