"""Which locked packages scripts/setup installs."""

from typing import Any

import pytest

from scripts.locked_requirements import applies, needed_without_dev

NEVER = 'sys_platform == "nowhere"'


@pytest.mark.parametrize(
    ("package", "wanted"),
    [
        ({"groups": ["main"]}, True),
        ({"groups": ["main"], "markers": NEVER}, False),
        ({"groups": ["main"], "markers": 'python_version >= "3"'}, True),
        ({"groups": ["main", "dev"], "markers": {"main": NEVER, "dev": NEVER}}, False),
        # A group without a marker always wants the package.
        ({"groups": ["main", "dev"], "markers": {"main": NEVER}}, True),
    ],
)
def test_a_package_is_wanted_where_a_group_wants_it(
    package: dict[str, Any], wanted: bool
) -> None:
    assert applies(package) is wanted


@pytest.mark.parametrize(
    ("package", "needed"),
    [
        ({"name": "locust", "groups": ["main"]}, True),
        ({"name": "httpx", "groups": ["main", "dev"]}, True),
        ({"name": "mypy", "groups": ["dev"]}, False),
        # poetry-core is needed to install Assay itself.
        ({"name": "poetry-core", "groups": ["dev"]}, True),
    ],
)
def test_what_only_the_checks_need_can_be_left_out(
    package: dict[str, Any], needed: bool
) -> None:
    assert needed_without_dev(package) is needed
