"""What tests of locks and history need: a clock that stands still, a store in memory, entries that grow old."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from moto.s3.models import s3_backends

from reconciler.locking import Held
from reconciler.locking.locks import new_lock
from reconciler.model import Account, Caller
from reconciler.ports import Clock, Entry, Store
from reconciler.sandbox.scenario import SOURCE

BUCKET = "locks-and-history"
DEV = Account("dev", SOURCE)
DEV_KEY = f"locks/platform/{SOURCE}.json"


class FakeClock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def instant(self) -> datetime:
        return datetime(2026, 1, 31, 12, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def elapsed(self) -> float:
        return self.seconds

    def sleep(self, seconds: float, /) -> None:
        self.seconds += seconds


class MemoryStore:
    """A store whose clock runs with the test's."""

    place = "memory"

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._mutex = threading.Lock()
        self._entries: dict[str, tuple[bytes, int, float]] = {}
        self._writes = 0
        self._logs: dict[str, list[bytes]] = {}

    def read(self, key: str) -> Entry | None:
        if key not in self._entries:
            return None
        content, number, written = self._entries[key]
        return Entry(content, str(number), self._clock.seconds - written)

    def create(self, key: str, content: bytes) -> str | None:
        with self._mutex:
            return None if key in self._entries else self._write(key, content)

    def replace(self, key: str, content: bytes, etag: str) -> str | None:
        with self._mutex:
            found = self._entries.get(key)
            return self._write(key, content) if found and str(found[1]) == etag else None

    def keys(self, prefix: str) -> tuple[str, ...]:
        return tuple(sorted(key for key in self._entries if key.startswith(prefix)))

    def append(self, log: str, line: bytes) -> None:
        self._logs.setdefault(log, []).append(line)

    def lines(self, log: str, *, ends: bool = False) -> tuple[bytes, ...]:
        found = tuple(self._logs.get(log, ()))
        return (found[0], found[-1]) if ends and len(found) > 1 else found

    def logs(self, prefix: str) -> tuple[str, ...]:
        return tuple(sorted(log for log in self._logs if log.startswith(prefix)))

    def _write(self, key: str, content: bytes) -> str:
        self._writes += 1
        self._entries[key] = (content, self._writes, self._clock.seconds)
        return str(self._writes)


@dataclass(frozen=True)
class Kept:
    """A real store, how to make one of its entries older, and what a manifest says to have it."""

    store: Store
    age: Callable[[str, float], None]
    line: str = ""


def age_file(folder: Path) -> Callable[[str, float], None]:
    def age(key: str, seconds: float) -> None:
        path = folder / key
        written = path.stat().st_mtime - seconds
        os.utime(path, (written, written))

    return age


def age_object(key: str, seconds: float) -> None:
    backend: Any = s3_backends[SOURCE]["aws"]
    found = backend.buckets[BUCKET].keys[f"xgrant/{key}"]
    found.last_modified -= timedelta(seconds=seconds)


def held_by(store: Store, clock: Clock, user: str, *, warnings: list[str] | None = None) -> Held:
    """Return what could take locks of the stack platform for a user; it renews nothing by itself."""
    lock = new_lock("platform", Caller(user, "host-1", 123, "xgrant apply"), clock)
    return Held(store, lock, clock, (warnings if warnings is not None else []).append)
