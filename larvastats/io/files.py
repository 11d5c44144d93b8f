"""Opening and replacing files; whatever goes wrong there becomes one sentence."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import stat
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from larvastats.errors import DataError, UsageError

GZIP_MAGIC = b"\x1f\x8b"
HEAD_BYTES = 1 << 16

AnyPath = str | os.PathLike[str]


@contextmanager
def reading(path: AnyPath) -> Iterator[None]:
    """Turn the errors of the operating system into sentences that name the file.

    Raises
    ------
    UsageError
        There is no such file.
    DataError
        The file is a directory, may not be read, is damaged, or does not fit into memory.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise UsageError(f"{path}: there is no such file; check the path.") from error
    except IsADirectoryError as error:
        raise DataError(f"{path}: expected a file, but found a directory.") from error
    except PermissionError as error:
        raise DataError(
            f"{path}: permission to read it is denied; ask its owner, or change its mode."
        ) from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(
            f"{path}: expected a complete gzip file, but it is damaged or cut off ({error}); "
            "copy it again from its origin."
        ) from error
    except ValueError as error:
        if not isinstance(error, UnicodeEncodeError) and "null byte" not in str(error):
            raise
        raise UsageError(f"{path}: no file has such a name; check the path.") from error
    except OSError as error:
        reason = error.strerror or str(error).splitlines()[0] if str(error) else "no reason given"
        raise DataError(f"{path}: cannot be read ({reason}); copy it again or leave it out.") from (
            error
        )
    except MemoryError as error:
        raise DataError(
            f"{path}: reading it needs more memory than there is; split it into several files."
        ) from error


def open_file(path: AnyPath) -> io.BufferedReader:
    """Open a file for reading bytes.

    Raises
    ------
    DataError
        It is a pipe or a device: whoever reads one may wait for ever, or never come to an end.
    """
    return open(path, "rb", opener=_open_regular)


def _open_regular(path: str, flags: int) -> int:
    # a pipe that nobody writes to would not even open
    handle = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    mode = os.fstat(handle).st_mode
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):  # open itself complains of a directory
        return handle
    os.close(handle)
    raise DataError(
        f"{path}: expected a file, but found a pipe or a device; write its content into a file."
    )


def is_gzip(path: AnyPath) -> bool:
    """Whether the content, not the name, is gzip."""
    with open_file(path) as file:
        return file.read(2) == GZIP_MAGIC


def open_plain(path: AnyPath) -> IO[bytes]:
    """Open a file for reading bytes, uncompressed where it is gzip."""
    return gzip.open(path, "rb") if is_gzip(path) else open_file(path)  # type: ignore[return-value]


def read_head(path: AnyPath, size: int = HEAD_BYTES) -> bytes:
    """Return the first bytes of a file's (uncompressed) content.

    Raises
    ------
    UsageError, DataError
        As :func:`reading`.
    """
    with reading(path), open_plain(path) as file:
        return file.read(size)


def sha256(path: AnyPath) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal digits."""
    with reading(path), open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def replacing(path: AnyPath) -> Iterator[Path]:
    """Yield a temporary path; what was written there replaces `path` once it is complete.

    Whatever happens before that, the old file stays as it was.

    Raises
    ------
    DataError
        The folder does not exist or may not be written, or the disk is full.
    """
    target = Path(path)
    temporary: Path | None = None
    try:
        handle, name = tempfile.mkstemp(
            dir=target.parent, prefix=f".{target.name}.", suffix=".part"
        )
        os.close(handle)
        temporary = Path(name)
        yield temporary
        os.chmod(temporary, 0o666 & ~_umask())  # mkstemp is more secretive than open
        os.replace(temporary, target)
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(
            f"{path}: cannot be written ({reason}); free space, or choose a folder that exists and "
            "that you may write to. Nothing that was there has changed."
        ) from error
    finally:
        if temporary is not None:
            with suppress(FileNotFoundError):  # gone: it has become the target
                temporary.unlink()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
