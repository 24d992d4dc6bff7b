"""Copies of a target's folder; each launch begins with the state after `prepare`.

    <folder for temporary files>/
        prepared/<hash>/<name>     the state that every launch begins with
        copies/<variant>/<name>    the folder that the variant runs in

Virtual environments, `.git`, `node_modules` and caches are large and only read, so a
copy has links to them. The files and folders beside the original are linked beside the
copy, so that paths such as ``../.venv/bin/python`` still work.
"""

import contextlib
import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from assay.errors import InputError, MeasureError
from assay.inputs.loader import url_of
from assay.plan import Topic, Variant
from assay.run_directory.directory import ENVIRONMENT
from assay.run_directory.run import RunDirectory

PREPARED, COPIES = "prepared", "copies"  # folders
MAX_BYTES = 500_000_000
MAX_FILES = 50_000
MAX_COUNTED = 1_000_000  # files after which counting ends
BYTECODE = "__pycache__"
_LINKED = (".git", ".hg", "node_modules")
# A folder with one of these entries is an environment or a cache.
_MARKS = ("pyvenv.cfg", "conda-meta", "CACHEDIR.TAG")


@dataclass
class _Size:
    """The size of a copy.

    Attributes:
        bytes: The number of bytes.
        files: The number of files.
        parts: The bytes of each file or folder at the top level.
    """

    bytes: int = 0
    files: int = 0
    parts: Counter[str] = field(default_factory=Counter)


def check_sizes(topics: Iterable[Topic]) -> None:
    """Check that no folder is too large to be copied before each launch.

    Raises:
        InputError: A folder is too large.
        MeasureError: A folder cannot be read.
    """
    for topic in topics:
        for original in _originals(topic):
            with _reporting(original):
                size = _size_of(original)
            if size.bytes > MAX_BYTES or size.files > MAX_FILES:
                raise InputError(_too_large(topic, original, size))


def prepared(topic: Topic, folder: Path) -> Topic:
    """Copy the folders of a topic; return a topic that runs in the copies.

    The `prepare` command then runs in the copied folders.

    Args:
        topic: The topic; without `copy = true` it is returned unchanged.
        folder: A folder for temporary files.

    Raises:
        MeasureError: A file cannot be copied.
    """
    for original in _originals(topic):
        place = _prepared_path(original, folder)
        with _reporting(original):
            _make(original, place, original)
    if not _originals(topic):
        return topic
    variants = tuple(
        variant.model_copy(update={"cwd": _prepared_path(variant.cwd, folder)})
        for variant in topic.variants
        if variant.cwd
    )
    cwd = topic.target.cwd if variants else _prepared_path(topic.target.cwd, folder)
    target = topic.target.model_copy(update={"cwd": cwd})
    return topic.model_copy(
        update={"target": target, "variants": variants or topic.variants}
    )


@contextlib.contextmanager
def preparing(topic: Topic, folder: Path) -> Iterator[Topic]:
    """Yield the topic that `prepared` returns, for a `with` block.

    A MeasureError that leaves the block names the original folders, not the copies.

    Raises:
        MeasureError: A file cannot be copied, or the `prepare` command failed.
    """
    try:
        yield prepared(topic, folder)
    except MeasureError as error:
        text = str(error)
        for original in _originals(topic):
            text = text.replace(str(_prepared_path(original, folder)), str(original))
        raise MeasureError(text) from error


def remove(folder: Path) -> None:
    """Remove the copies of a topic that has been measured.

    Args:
        folder: The folder for temporary files.
    """
    for name in (PREPARED, COPIES):
        shutil.rmtree(folder / name, onexc=_retry_removal)


def with_copies(topic: Topic, folder: Path) -> Topic:
    """Return a topic whose variants run in copies, which `restored` makes.

    Args:
        topic: The topic; without `copy = true` it is returned unchanged.
        folder: The folder for temporary files that `prepared` copied to.
    """
    if not topic.target.copied:
        return topic
    variants = []
    for variant in topic.variants:
        if not url_of(topic.target, variant):
            original = topic.cwd_of(variant)
            place = _copy_path(original, variant, folder)
            variant = variant.model_copy(update={"cwd": place, "original": original})
        variants.append(variant)
    return topic.model_copy(update={"variants": tuple(variants)})


def restored(variant: Variant, folder: Path) -> Variant:
    """Renew the copy that a variant runs in; return the variant with the copy's path.

    Args:
        variant: A variant, or its A/A arm, which has its own copy. A variant that does
            not run in a copy is returned unchanged.
        folder: The folder for temporary files.

    Raises:
        MeasureError: A file cannot be copied.
    """
    if variant.original is None:
        return variant
    begin = _prepared_path(variant.original, folder)
    place = _copy_path(variant.original, variant, folder)
    with _reporting(variant.original):
        if place.exists():
            _empty(place, begin)
        _make(begin, place, variant.original)
    return variant.model_copy(update={"cwd": place})


def as_written(text: str, variant: Variant) -> str:
    """Return a text with the paths of a variant's copy replaced by the original's."""
    if variant.original is None or variant.cwd is None:
        return text
    for path in (os.path.realpath(variant.cwd), os.fspath(variant.cwd)):
        text = text.replace(path, os.fspath(variant.original))
    return text


def entries(folder: Path, temporary: Sequence[Path] = ()) -> Iterator[os.DirEntry[str]]:
    """Yield the entries that a copy of a folder has.

    Each folder comes before its content.

    Args:
        folder: The folder that is copied.
        temporary: Folders inside `folder` that the copy leaves out.

    Raises:
        OSError: Something cannot be read.
    """
    with os.scandir(folder) as scanned:
        listed = sorted(scanned, key=lambda entry: entry.name)
    for entry in listed:
        if _is_left_out(entry, temporary):
            continue
        yield entry
        if entry.is_dir(follow_symlinks=False) and not _is_linked(entry):
            yield from entries(Path(entry.path), temporary)


def _originals(topic: Topic) -> list[Path]:
    """Return the folders of a topic that are copied."""
    if not topic.target.copied:
        return []
    started = [one for one in topic.variants if not url_of(topic.target, one)]
    return list(dict.fromkeys(topic.cwd_of(variant) for variant in started))


def _prepared_path(original: Path, folder: Path) -> Path:
    """Return the path of the prepared folder, which every launch begins with."""
    name = hashlib.sha256(os.fsencode(original)).hexdigest()[:12]
    return folder / PREPARED / name / (original.name or "root")


def _copy_path(original: Path, variant: Variant, folder: Path) -> Path:
    """Return the path of the copy that a variant runs in."""
    return folder / COPIES / variant.name / (original.name or "root")


def _is_left_out(entry: os.DirEntry[str], temporary: Sequence[Path]) -> bool:
    """Say whether a copy leaves out a folder: bytecode, a run or a temporary folder."""
    if not entry.is_dir(follow_symlinks=False):
        return False
    path = Path(entry.path)
    is_run = RunDirectory.recognises(path) and (path / ENVIRONMENT).is_file()
    return entry.name == BYTECODE or path in temporary or is_run


def _is_linked(entry: os.DirEntry[str]) -> bool:
    """Say whether a folder, or a file .git, is linked instead of copied."""
    return entry.name in _LINKED or any(
        os.path.exists(os.path.join(entry.path, mark)) for mark in _MARKS
    )


def _make(source: Path, place: Path, original: Path) -> None:
    """Copy a folder to a place that may hold bytecode of an earlier copy.

    Args:
        source: The folder.
        place: The place; it and its parents are made if it does not exist.
        original: The original folder; its neighbours are linked beside a new place.
    """
    if not place.exists():
        place.mkdir(parents=True)
        _link_neighbours(original, place.parent)
    # The folder for temporary files can lie inside the folder that is copied.
    for entry in entries(source, place.parents[:4]):
        target = place / os.path.relpath(entry.path, source)
        if entry.is_symlink():
            os.symlink(_destination(entry, source), target)
        elif _is_linked(entry):
            os.symlink(entry.path, target)
        elif entry.is_dir():
            target.mkdir(exist_ok=True)
        elif entry.is_file():  # and no socket or pipe
            # copy2 keeps the modification time, so that Python takes the bytecode for
            # up to date. The file can be gone by now, for example one of a database.
            with contextlib.suppress(FileNotFoundError):
                shutil.copy2(entry.path, target)


def _link_neighbours(original: Path, place: Path) -> None:
    """Link the files and folders beside a folder, if its parent can be read."""
    with contextlib.suppress(OSError):
        for neighbour in original.parent.iterdir():
            if neighbour.name != original.name:
                os.symlink(neighbour, place / neighbour.name)


def _destination(entry: os.DirEntry[str], source: Path) -> str:
    """Return the destination of a copied link.

    A link to something in the folder leads to the same thing in the copy. Any other
    link leads to the same place as before.
    """
    written = os.readlink(entry.path)
    parent = os.path.realpath(os.path.dirname(entry.path))
    leads_to = os.path.realpath(entry.path)
    if not Path(leads_to).is_relative_to(os.path.realpath(source)):
        # The path is not resolved: Python finds its virtual environment from the path
        # of the link to the interpreter.
        return os.path.join(parent, written)
    return os.path.relpath(leads_to, parent) if os.path.isabs(written) else written


def _empty(place: Path, begin: Path) -> None:
    """Remove all but the bytecode, so that Python need not compile the code again.

    Args:
        place: The folder.
        begin: The prepared folder that is copied here next. A folder that is not in the
            prepared folder is removed with its bytecode.
    """
    with os.scandir(place) as scanned:
        listed = list(scanned)
    for entry in listed:
        stays = begin / entry.name
        if not entry.is_dir(follow_symlinks=False):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(entry.path)
        elif entry.name == BYTECODE:
            continue
        elif stays.is_dir() and not stays.is_symlink():
            _empty(Path(entry.path), stays)
        else:
            shutil.rmtree(entry.path, onexc=_retry_removal)


def _retry_removal(
    function: Callable[..., object], path: str, error: BaseException
) -> None:
    """Make a path writable, and try again to remove it.

    The target can have written files that are write-protected. This is the `onexc`
    callback of `shutil.rmtree`.

    Raises:
        OSError: The path still cannot be removed.
    """
    if isinstance(error, FileNotFoundError):
        return
    os.chmod(os.path.dirname(path), 0o700)
    os.chmod(path, 0o700)
    if function in (os.rmdir, os.unlink):
        function(path)
    elif os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)


def _size_of(folder: Path) -> _Size:
    """Return the size of a copy; counting ends at `MAX_COUNTED` files."""
    size = _Size()
    for entry in entries(folder):
        if entry.is_file(follow_symlinks=False):
            count = entry.stat(follow_symlinks=False).st_size
            size.bytes += count
            size.files += 1
            part = os.path.relpath(entry.path, folder).split(os.sep)[0]
            size.parts[part] += count
        if size.files >= MAX_COUNTED:
            break
    return size


def _too_large(topic: Topic, original: Path, size: _Size) -> str:
    largest: Sequence[tuple[str, int]] = size.parts.most_common(1)
    part = "".join(
        f" ({name} alone has {count / 1e6:,.0f} MB)" for name, count in largest
    )
    return (
        f"{topic.file}: [target] copy: {original} is too large to be copied before "
        f"each launch: {size.bytes / 1e6:,.0f} MB in {size.files:,} files{part}. The "
        f"limits are {MAX_BYTES / 1e6:,.0f} MB and {MAX_FILES:,} files.\n"
        '  Type cwd = "FOLDER" in [target], where FOLDER has only what the command '
        "needs; or remove copy = true"
    )


@contextlib.contextmanager
def _reporting(original: Path) -> Iterator[None]:
    """Turn an error of the file system into a message that names the copied folder.

    Raises:
        MeasureError: A file cannot be read or written.
    """
    try:
        yield
    except OSError as error:
        raise MeasureError(
            f"[target] copy: {original} cannot be copied: {error}; make its files "
            "readable, or set TMPDIR to a folder with enough space"
        ) from error
