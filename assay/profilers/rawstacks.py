"""Parse py-spy's raw format: stacks, their numbers of samples, and idle threads."""

import linecache
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

# Leaf frames of waiting threads: the last part of the function's name, and the end of
# the file's path. The wait itself is in C code, for which py-spy shows the caller.
IDLE_LEAVES = (
    ("wait", "threading.py"),
    ("acquire", "threading.py"),
    ("_wait_for_tstate_lock", "threading.py"),
    ("_worker", "concurrent/futures/thread.py"),
    ("get", "queue.py"),
    ("select", "selectors.py"),
    ("select", "gevent/selectors.py"),
    # asyncio wakes its loop from another thread with a send that releases the GIL and
    # then mostly waits to get it back.
    ("_write_to_self", "asyncio/selector_events.py"),
    # uvloop's event loop is all C code: if one of these frames is the leaf, the loop is
    # polling.
    ("run", "asyncio/runners.py"),
    ("asyncio_run", "uvicorn/_compat.py"),
    ("run_until_complete", "asyncio/base_events.py"),
    ("accept", "socket.py"),
    ("_recv", "multiprocessing/connection.py"),
    ("wait", "multiprocessing/connection.py"),
    ("poll", "multiprocessing/popen_fork.py"),
    ("_try_wait", "subprocess.py"),
    # py-spy reads the state of a thread before its stack. So a thread that waits often,
    # and for a short time, looks busy in these functions.
    ("wait", "psycopg/connection.py"),
    ("readinto", "socket.py"),
    ("read", "ssl.py"),
    ("read", "httpcore/_backends/sync.py"),
    ("read_from_socket", "redis/_parsers/hiredis.py"),
    ("_read_from_socket", "redis/_parsers/socket.py"),
    ("do_poll", "urllib3/util/wait.py"),
    ("select_wait_for_socket", "urllib3/util/wait.py"),
)

_FRAME = re.compile(r"^(?P<function>.+?) \((?P<file>.+?)(?::\d+)?\)$", re.DOTALL)
_LINE_FRAME = re.compile(
    r"^(?P<function>.+?) \((?P<file>.+?)(?::(?P<line>\d+))?\)$", re.DOTALL
)
_SLEEP = re.compile(r"\bsleep\(")
_PROBE = "/assay/probe/"
ROOT = 0.05  # a thread's root is the first frame of at least this share of all samples
_PROCESS = re.compile(r'^process \d+:"(?:.*";|.*$)', re.DOTALL)
_THREAD = re.compile(r"^thread \([^()]*\)")
_PREFIX = re.compile(r"^.*/(?:site-packages|dist-packages|python3\.\d+)/")


class Raw(NamedTuple):
    """The content of a raw file.

    Attributes:
        running: Stacks of running code, root first, with their numbers of samples.
        idle: Number of samples of waiting threads.
        unread: Number of samples without any frame.
    """

    running: Counter[tuple[str, ...]]
    idle: int
    unread: int


def parse(lines: Iterable[str], drop_idle: bool = True) -> Raw:
    """Parse py-spy's raw format: a stack and its count per line, without escaping.

    A line of another form counts as one unread sample.
    """
    running: Counter[tuple[str, ...]] = Counter()
    idle = unread = 0
    for line in lines:
        if not line.strip():
            continue
        text, _, digits = line.rpartition(" ")
        if not (digits.isascii() and digits.isdigit()):
            unread += 1
            continue
        count, stack = int(digits), tuple(_frames(text))
        if not stack:
            unread += count
        elif drop_idle and is_idle(stack):
            idle += count
        else:
            running[stack] += count
    return Raw(running, idle, unread)


def parse_located(
    lines: Iterable[str], locate: Callable[[str], str], drop_idle: bool = False
) -> Counter[tuple[str, ...]]:
    """Parse the raw format with whole file names; return stacks of running code.

    A frame of the user's own code keeps its line, as in ``load (app/sales.py:31)``. A
    frame of a library does not, as in ``select (selectors.py)``. Frames of the probe
    are left out, so that their cost counts for their caller.

    Args:
        lines: The lines of the raw file.
        locate: Returns a file's path in the project; empty if it is not the user's.
        drop_idle: Whether to leave out stacks of waiting threads.
    """
    running: Counter[tuple[str, ...]] = Counter()
    for line in lines:
        text, _, digits = line.rpartition(" ")
        if digits.isascii() and digits.isdigit():
            stack = tuple(_located_frames(text, locate))
            idle = drop_idle and stack and (is_idle(stack) or _sleeps(text, locate))
            if stack and not idle:
                running[stack] += int(digits)
    return running


def mended(running: Counter[tuple[str, ...]]) -> Counter[tuple[str, ...]]:
    """Complete stacks that lack their beginning, with the most likely beginning.

    py-spy does not stop the target, so it may find only the end of a stack. In whole
    stacks, the function looks for the frames from the root to the first frame that
    py-spy found. It takes those that lead to this frame most often.
    """
    begins: Counter[str] = Counter()
    for stack, count in running.items():
        begins[stack[0]] += count
    roots = {
        frame for frame, count in begins.items() if count >= ROOT * running.total()
    }
    ways: dict[str, Counter[tuple[str, ...]]] = defaultdict(Counter)
    for stack, count in running.items():
        if stack[0] in roots:
            for depth, frame in enumerate(stack):
                ways[frame][stack[:depth]] += count
    whole: Counter[tuple[str, ...]] = Counter()
    for stack, count in running.items():
        begin: tuple[str, ...] = ()
        if stack[0] not in roots and stack[0] in ways:
            ((begin, _),) = ways[stack[0]].most_common(1)
        whole[begin + stack] += count
    return whole


def _located_frames(text: str, locate: Callable[[str], str]) -> Iterator[str]:
    text = _PROCESS.sub("", text.strip())
    for piece in _THREAD.sub("", text).lstrip(";").split(";"):
        match = _LINE_FRAME.match(piece)
        if match is None or _PROBE in match["file"]:
            continue
        own_path = locate(match["file"])
        if own_path:
            yield f"{match['function']} ({own_path}:{match['line'] or 0})"
        else:
            yield f"{match['function']} ({short_path(match['file'])})"


def is_idle(stack: Sequence[str]) -> bool:
    """Say whether a stack belongs to a waiting thread, judged by its leaf frame."""
    function, _, file = stack[-1].partition(" (")
    last_part, path = function.rpartition(".")[2], file.removesuffix(")")
    return any(
        last_part == name and (path == end or path.endswith(f"/{end}"))
        for name, end in IDLE_LEAVES
    )


def _sleeps(text: str, locate: Callable[[str], str]) -> bool:
    """Say whether a line of the user's code calls `sleep`: the thread waits in C code.

    py-spy does not stop the target, so a file's name can be any bytes.
    """
    match = _LINE_FRAME.match(text.rpartition(";")[2])
    if match is None or not match["line"] or not locate(match["file"]):
        return False
    try:
        source = linecache.getline(match["file"], int(match["line"]))
    except (OSError, ValueError):  # such as a null byte in the name
        return False
    return bool(_SLEEP.search(source))


def short_path(file: str) -> str:
    """Return a source path without the part that depends on the machine."""
    short = _PREFIX.sub("", file)
    if short.startswith("/"):
        short = "/".join(Path(short).parts[-2:])
    return short.lstrip("/")


def _frames(text: str) -> Iterator[str]:
    """Yield the frames of a raw stack, without process and thread entries."""
    # A command line may contain anything, even semicolons. It ends at the last quote
    # before a semicolon, because no frame contains a quote.
    text = _PROCESS.sub("", text.strip())
    for piece in _THREAD.sub("", text).lstrip(";").split(";"):
        if match := _FRAME.match(piece):
            yield f"{match['function']} ({short_path(match['file'])})"
