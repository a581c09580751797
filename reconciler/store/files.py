"""A store in files: entries are swapped whole under a guard, logs grow by lines. For the processes of one machine."""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from reconciler.errors import StoreError
from reconciler.ports import Entry
from reconciler.store.guard import guarded

_LOG = ".jsonl"


class FileStore:
    """A `Store` below a folder, which is made when the first thing is written.

    Folders have the mode 0700, files 0600. Reading takes no guard: a rename shows the old or the new entry, whole.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self._shown = folder

    @property
    def place(self) -> str:
        """What messages call the store."""
        return f"the folder {self._shown}"

    def read(self, key: str) -> Entry | None:
        """Return the entry as it is now; its age is by this machine's clock, as its time is."""
        with self._errors():
            try:
                with self._path(key).open("rb") as file:
                    content, written = file.read(), os.fstat(file.fileno()).st_mtime
            except FileNotFoundError:
                return None
        return Entry(content, _etag(content), time.time() - written)

    def create(self, key: str, content: bytes) -> str | None:
        """Write a new entry, if there is none."""
        with self._errors(), self._guard():
            return None if self._path(key).exists() else self._write(key, content)

    def replace(self, key: str, content: bytes, etag: str) -> str | None:
        """Write an entry in the place of this very one."""
        with self._errors(), self._guard():
            found = self.read(key)
            return None if found is None or found.etag != etag else self._write(key, content)

    def keys(self, prefix: str) -> tuple[str, ...]:
        """Return the keys of the entries below a prefix."""
        return tuple(key for key in self._files(prefix) if not key.endswith(_LOG))

    def append(self, log: str, line: bytes) -> None:
        """Add a line to a log and see it to the disk."""
        path = self._path(log + _LOG)
        with self._errors():
            self._make_folder(path.parent)
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            with os.fdopen(descriptor, "ab") as file:
                file.write(line + b"\n")
                file.flush()
                os.fsync(file.fileno())

    def lines(self, log: str, *, ends: bool = False) -> tuple[bytes, ...]:
        """Return the lines of a log, or its first and last."""
        found = self.read(log + _LOG)
        lines = tuple(found.content.split(b"\n")) if found else ()
        lines = lines[:-1] if lines[-1:] == (b"",) else lines
        return (lines[0], lines[-1]) if ends and len(lines) > 1 else lines

    def logs(self, prefix: str) -> tuple[str, ...]:
        """Return the logs directly below a prefix."""
        names = (key.removesuffix(_LOG) for key in self._files(prefix) if key.endswith(_LOG))
        return tuple(name for name in names if "/" not in name.removeprefix(prefix))

    def _path(self, key: str) -> Path:
        parts = key.split("/")
        if any(part in ("", ".", "..") for part in parts):
            raise ValueError(f"{key} is no key")
        return self._folder.joinpath(*parts)

    def _files(self, prefix: str) -> list[str]:
        with self._errors():
            if self._folder.exists() and not self._folder.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            folder = self._path(prefix.rstrip("/"))
            # A temporary file that a killed process left behind begins with a dot.
            found = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
        return sorted(path.relative_to(self._folder).as_posix() for path in found)

    def _write(self, key: str, content: bytes) -> str:
        path = self._path(key)
        self._make_folder(path.parent)
        # Under the guard, so the name is nobody else's; what a killed process left there is overwritten.
        temporary = path.with_name(f".{path.name}.new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        return _etag(content)

    def _make_folder(self, folder: Path) -> None:
        if folder.is_dir():
            return
        if folder != self._folder:
            self._make_folder(folder.parent)
        folder.mkdir(mode=0o700, parents=folder == self._folder, exist_ok=True)
        if folder == self._folder:
            # Nothing in here is a part of the repository that it happens to lie in.
            (folder / ".gitignore").write_text("*\n", encoding="utf-8")

    @contextmanager
    def _guard(self) -> Iterator[None]:
        self._make_folder(self._folder)
        with guarded(self._folder / ".guard", self.place):
            yield

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(
                f"{self.place}, which keeps locks and history, cannot be used: {error.strerror or error}; run xgrant "
                "where it can write, or keep them elsewhere with `store: s3://BUCKET/PREFIX` in the manifest"
            ) from error


def _etag(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
