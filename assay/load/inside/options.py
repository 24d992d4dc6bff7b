"""The options of a locustfile: its arguments, Locust's own, and Assay's settings."""

import argparse
import contextlib
import io
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import locust.argument_parser
from locust.user.users import User

from assay.load.protocol import ALLOW_HOSTS
from assay.system import hosts, redaction

# Of Locust's own options only these have an effect under Assay.
SUPPORTED_OPTIONS = frozenset({"tags", "exclude_tags", "config", "user_classes"})


class LocustfileError(ValueError):
    """The locustfile, or an argument for it, cannot be used.

    Attributes:
        hint: How to solve the problem.
    """

    def __init__(self, problem: str, hint: str) -> None:
        """Create the error from its message and a hint."""
        super().__init__(problem)
        self.hint = hint


def parse_options(
    arguments: Sequence[str], settings: Mapping[str, Any]
) -> argparse.Namespace:
    """Return the options that listeners and users see.

    Raises:
        LocustfileError: An argument is wrong, or is an option of Locust that has no
            effect here.
    """
    stderr = io.StringIO()
    try:
        with contextlib.redirect_stderr(stderr):
            parser = locust.argument_parser.get_parser()
            options: argparse.Namespace = parser.parse_args(args=list(arguments))
    except SystemExit as error:
        last = stderr.getvalue().strip().splitlines()[-1:] or ["they are wrong"]
        words = shlex.join(redaction.arguments(arguments))
        raise LocustfileError(
            f"its arguments ({words}): {redaction.command(last[0])}",
            "after -- come --tags, --exclude-tags, names of user classes, and options "
            "that the locustfile defines",
        ) from error
    if unsupported := _unsupported(options):
        raise LocustfileError(
            f"its arguments: {', '.join(unsupported)} would have no effect: Assay sets "
            "how much load there is, where it goes, and what is reported",
            "leave them out; options of assay load come before --: see its --help",
        )
    host = settings.get("host") or options.host
    vars(options).update({**settings, "host": host, "headless": True})
    vars(options).pop(ALLOW_HOSTS, None)
    return options


def check_hosts(
    classes: Sequence[type[User]], host: str | None, settings: Mapping[str, Any]
) -> None:
    """Check that no user class sends load to another machine without permission.

    Raises:
        LocustfileError: A class sends load to a machine that is not allowed.
    """
    allowed = settings.get(ALLOW_HOSTS)
    if allowed is None:
        return
    for cls in classes:
        url = str(host or cls.host or "")
        if refused := hosts.refused(url, allowed):
            raise LocustfileError(
                f"{cls.__name__}: {hosts.WHY.format(host=refused)}",
                hosts.HINT.format(host=refused),
            )


def _unsupported(options: argparse.Namespace) -> list[str]:
    """Return Locust's own options that were given and have no effect here."""
    parser = locust.argument_parser.get_empty_argument_parser()
    locust.argument_parser.setup_parser_arguments(parser)
    defaults, _ = parser.parse_known_args(args=[])  # including those of locust.conf
    given = {
        action.dest: action
        for action in parser._actions
        if action.dest in defaults
        and action.dest not in SUPPORTED_OPTIONS
        and getattr(options, action.dest) != getattr(defaults, action.dest)
    }
    return [
        action.option_strings[-1] if action.option_strings else "user classes"
        for action in given.values()
    ]
