"""`assay` and `python -m assay`."""

import signal

# Until the command line handles Ctrl-C, it ends the process without a message.
signal.signal(signal.SIGINT, signal.SIG_DFL)


def run() -> None:
    """Run the command line."""
    from assay.cli.app import main

    main()


if __name__ == "__main__":
    run()
