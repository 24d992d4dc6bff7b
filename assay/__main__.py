"""`assay` and `python -m assay`."""

import signal

# Until the command line is there to say so, Ctrl-C ends the process without a word.
signal.signal(signal.SIGINT, signal.SIG_DFL)


def run() -> None:
    """Run the command line."""
    from assay.cli.app import main

    main()


if __name__ == "__main__":
    run()
