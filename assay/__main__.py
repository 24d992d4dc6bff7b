"""Starts the command line, for `assay` and `python -m assay`."""

import signal

# While the command line is imported, Ctrl-C ends the process without a traceback.
signal.signal(signal.SIGINT, signal.SIG_DFL)


def run() -> None:
    """Run the command line."""
    from assay.cli.app import main

    main()


if __name__ == "__main__":
    run()
