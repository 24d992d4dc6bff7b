"""The errors that end a command, each with its exit code."""


class AssayError(Exception):
    """Base of the errors that end a command; the message says what to do next."""

    exit_code = 4


class InputError(AssayError):
    """A file, an option or an argument is wrong: exit code 2."""

    exit_code = 2


class MeasureError(AssayError):
    """Something could not be measured: exit code 4."""

    exit_code = 4
