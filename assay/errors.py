"""The errors that end a command, each with the exit code it stands for."""


class AssayError(Exception):
    """An error that a person can act on; the message says what to do next."""

    exit_code = 4


class InputError(AssayError):
    """Something that was written or typed is wrong: exit code 2."""

    exit_code = 2


class MeasureError(AssayError):
    """Something could not be measured: exit code 4."""

    exit_code = 4
