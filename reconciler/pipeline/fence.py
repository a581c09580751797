"""Keeps a worker from writing once its run has lost the account, or another worker executes the same step.

Whoever lost sight of a worker, as Dask does, gives its step to another one; the first may live on, and wake up in the
middle of the step when what it is about to delete has been made anew. So each execution of a step leaves an entry in
the store, and only the newest one may write.
"""

from __future__ import annotations

import json
import uuid
from enum import Enum, auto
from hashlib import sha256
from pathlib import Path

from reconciler.clock import monotonic
from reconciler.errors import StoreError
from reconciler.locking import TRUSTED, read_lock
from reconciler.model import Account, Address, Resource, Step
from reconciler.pipeline.guarded import Guarded
from reconciler.ports import Store, Toward, Writer
from reconciler.shards import HeldLock

_LOCK_KNOWN = 5.0
"""Seconds for which a lock that was seen to hold is not looked at again, as long as nothing is written."""

_TRIES = 5


class Begun(Enum):
    """What is known of a step that begins."""

    FIRST = auto()
    AGAIN = auto()
    """Another worker has begun it in this run."""
    ENDED = auto()
    """It was done in this run; only who did it could not tell."""


class Fence:
    """One execution of a step, and the lock under which it is at work."""

    def __init__(self, lock: HeldLock, stack: str, account: Account, step: Step) -> None:
        digest = sha256(f"{step.verb.value} {step.change.address}".encode()).hexdigest()
        # Not by the run: a store forgets nothing, and the entries of a later run take their places.
        self._key = f"steps/{stack}/{account.id}/{digest[:32]}.json"
        self._lock = lock
        self._attempt = uuid.uuid4().hex
        self._etag: str | None = None
        self._store = _store(lock.store)
        self._good_until = float("-inf")
        self._writing = False

    def begin(self) -> Begun:
        """Note that this execution is the newest; one that was ended is not begun again. May raise StoreError."""
        for _ in range(_TRIES):
            entry = self._store.read(self._key)
            run, ended = self._read(entry.content) if entry else ("", False)
            if run == self._lock.id and ended:
                return Begun.ENDED
            content = self._content(ended=False)
            self._etag = (
                self._store.replace(self._key, content, entry.etag) if entry else self._store.create(self._key, content)
            )
            if self._etag is not None:
                return Begun.AGAIN if run == self._lock.id else Begun.FIRST
        raise StoreError(f"{self._store.place}: {self._key} changes all the time; see who writes it, and run again")

    def end(self) -> None:
        """Note that the step is done, unless another execution has begun meanwhile. May raise StoreError."""
        assert self._etag is not None  # it has begun
        self._store.replace(self._key, self._content(ended=True), self._etag)

    def writing(self) -> None:
        """Look from now on before each call whether the lock still holds, and whether this is the newest execution."""
        self._writing = True

    def lost(self) -> str:
        """Return why nothing may be done any more; nothing while it may."""
        try:
            return self._lock_lost() or (self._outrun() if self._writing else "")
        except StoreError as error:
            return f"whether the lock still holds is not known: {error}"

    def _lock_lost(self) -> str:
        asked = monotonic()
        if asked < self._good_until and not self._writing:
            return ""
        entry = self._store.read(self._lock.key)
        where = f"{self._store.place}: {self._lock.key}"
        if entry is None:
            return f"{where} is not there; whoever works elsewhere needs a store that it can reach, like s3://"
        lock = read_lock(entry.content, where)
        if lock.id != self._lock.id or lock.released:
            return "the lock is no longer this run's"
        left = TRUSTED * lock.lease - entry.age
        if left <= 0:
            return "the lock was not renewed in time"
        self._good_until = asked + min(_LOCK_KNOWN, left)
        return ""

    def _outrun(self) -> str:
        entry = self._store.read(self._key)
        newest = entry is not None and entry.etag == self._etag
        return "" if newest else "another worker has begun the same step since"

    def _content(self, *, ended: bool) -> bytes:
        entry = {"format": 1, "run": self._lock.id, "attempt": self._attempt, "ended": ended}
        return json.dumps(entry, sort_keys=True).encode()

    def _read(self, content: bytes) -> tuple[str, bool]:
        try:
            data = json.loads(content)
            return str(data["run"]), data["ended"] is True
        except (ValueError, KeyError, TypeError):
            raise StoreError(
                f"{self._store.place}: {self._key}: this is no step that this version of xgrant understands; if no run "
                "is at work, delete it by hand"
            ) from None


class Fenced(Guarded):
    """A `Writer` that writes only while its fence lets it."""

    def __init__(self, writer: Writer, fence: Fence) -> None:
        super().__init__(writer, fence.lost)
        self._fence = fence

    def write(self, address: Address, before: Resource | None, after: Resource, toward: Toward) -> None:
        """Write; see `ports.Writer`."""
        self._fence.writing()
        super().write(address, before, after, toward)

    def remove(self, address: Address, before: Resource, toward: Toward) -> None:
        """Delete; see `ports.Writer`."""
        self._fence.writing()
        super().remove(address, before, toward)


def _store(place: str) -> Store:
    if place.startswith("s3://"):
        from reconciler.aws.store import S3Store

        return S3Store(place)
    from reconciler.store import FileStore

    return FileStore(Path(place))
