"""The locks of one run: taken all or none, renewed in the background, released at the end."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace

from reconciler.errors import LockError, StoreError
from reconciler.locking.locks import (
    PARALLEL,
    Lock,
    describe,
    holds,
    key_of,
    marked_released,
    new_lock,
    read_lock,
    stamped,
)
from reconciler.model import Account, Caller
from reconciler.ports import Clock, Store

POLL = 1.0
"""Seconds between two looks at a lock that somebody else holds."""

TRUSTED = 0.75
"""The part of the lease after which a lock that was not renewed counts as lost: a call under way still ends."""

_TRIES = 5


@dataclass(frozen=True, slots=True)
class _Taken:
    """A lock that is ours: the account, the etag of what we wrote, and when, by our clock, that write began."""

    account: str
    etag: str
    at: float


class Held:
    """The locks that a run holds, from the first one taken to their release."""

    def __init__(
        self, store: Store, lock: Lock, clock: Clock, warn: Callable[[str], None], *, waited: float = 0
    ) -> None:
        self._store = store
        self._lock = lock
        self._clock = clock
        self._warn = warn
        self._waited = waited
        self._taken: dict[str, _Taken] = {}
        self._lost = ""
        self._mutex = threading.Lock()  # For the two above, and never while the store is asked.
        self._round = threading.Lock()  # One renews, or releases.
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="leases", daemon=True)

    @property
    def id(self) -> str:
        """Return the id that `xgrant unlock` takes."""
        return self._lock.id

    def start(self) -> None:
        """Renew in the background from now on, at a third of the lease."""
        self._thread.start()

    def take(self, account: Account) -> LockError | None:
        """Take an account's lock; return what is to be said where another run holds it.

        Raises:
            StoreError: the store cannot be reached, or holds what is no lock.

        """
        key = key_of(self._lock.stack, account)
        for _ in range(_TRIES):
            begun = self._clock.elapsed()
            content = self._content(account.name)
            entry = self._store.read(key)
            if entry is None:
                etag = self._store.create(key, content)
            else:
                found = read_lock(entry.content, f"{self._store.place}: {key}")
                if holds(found, entry):
                    return describe(found, (account.name,), entry.age, waited=self._waited)
                etag = self._store.replace(key, content, entry.etag)
                if etag is not None and not found.released:
                    self._warn(
                        f"xgrant: the lock of account {account.name} is taken over: {found.user} on {found.host} "
                        f"(process {found.process}) has held it since {found.since}, and no longer renews it"
                    )
            if etag is not None:
                self._keep_in_mind(key, _Taken(account.name, etag, begun))
                return None
        raise StoreError(f"{self._store.place}: {key} changes all the time; see who writes it, and run again")

    def take_all(self, accounts: Sequence[Account]) -> LockError | None:
        """Take the locks of all accounts, the first one before all others; see `take`."""
        for account in accounts[:1]:
            if (obstacle := self.take(account)) is not None:
                return obstacle
        pool = ThreadPoolExecutor(PARALLEL, "take")
        try:
            waiting = [pool.submit(self.take, account) for account in accounts[1:]]
            return next(filter(None, (future.result() for future in as_completed(waiting))), None)
        finally:
            # What is under way ends first: a lock that is taken after all has to be known, to be released.
            pool.shutdown(cancel_futures=True)

    def renew(self) -> None:
        """Renew every lease once. One that another run has taken over makes the locks lost.

        Raises:
            StoreError: the store cannot be reached; the leases run on.

        """
        with self._round:
            if self._end.is_set():
                return
            with ThreadPoolExecutor(PARALLEL, "renew") as pool:
                list(pool.map(self._renew, self._all_taken()))

    def lost(self) -> str:
        """Return why a lock may be another's by now; empty while none may. Once it is so, nothing may be written."""
        with self._mutex:
            now = self._clock.elapsed()
            late = [taken.account for taken in self._taken.values() if now - taken.at > TRUSTED * self._lock.lease]
            if late and not self._lost:
                self._lost = f"the lock of account {late[0]} could not be renewed in time"
            return self._lost

    def release(self) -> None:
        """Release what is still ours, and renew no more. What cannot be released now is said, and ends by itself."""
        self._end.set()
        with self._round:
            try:
                with ThreadPoolExecutor(PARALLEL, "release") as pool:
                    list(pool.map(self._release, self._all_taken()))
            except StoreError as error:
                self._warn(
                    f"xgrant: not all of the locks {self.id} can be released; the others end by themselves within "
                    f"{self._lock.lease:.0f} s: {error}"
                )
            with self._mutex:
                self._taken.clear()
        if self._thread.ident is not None:
            self._thread.join()

    def _keep(self) -> None:
        pause = self._lock.lease / 3
        while not self._end.wait(pause):
            try:
                self.renew()
                pause = self._lock.lease / 3
            except StoreError as error:
                self._warn(f"xgrant: the locks cannot be renewed: {error}")
                pause = self._lock.lease / 12

    def _release(self, key: str) -> None:
        taken = self._taken[key]
        self._swap(key, taken, marked_released(self._lock_of(taken.account)).content())

    def _renew(self, key: str) -> None:
        taken = self._taken[key]
        begun = self._clock.elapsed()
        etag = self._swap(key, taken, self._content(taken.account))
        if etag is not None:
            self._keep_in_mind(key, _Taken(taken.account, etag, begun))
            return
        with self._mutex:
            self._lost = self._lost or f"the lock of account {taken.account} was taken over or released by another"

    def _swap(self, key: str, taken: _Taken, content: bytes) -> str | None:
        """Write in the place of what we wrote last; return the new etag, None where another has written."""
        etag = self._store.replace(key, content, taken.etag)
        if etag is not None:
            return etag
        # A write of ours whose answer never came is ours nevertheless.
        entry = self._store.read(key)
        if entry is None:
            return None
        found = read_lock(entry.content, f"{self._store.place}: {key}")
        ours = found.id == self.id and not found.released
        return self._store.replace(key, content, entry.etag) if ours else None

    def _lock_of(self, account: str) -> Lock:
        return stamped(replace(self._lock, account=account), self._clock)

    def _content(self, account: str) -> bytes:
        return self._lock_of(account).content()

    def _keep_in_mind(self, key: str, taken: _Taken) -> None:
        with self._mutex:
            self._taken[key] = taken

    def _all_taken(self) -> tuple[str, ...]:
        with self._mutex:
            return tuple(self._taken)


def acquire(
    store: Store,
    stack: str,
    accounts: Iterable[Account],
    caller: Caller,
    clock: Clock,
    *,
    wait: float,
    warn: Callable[[str], None],
) -> Held:
    """Take the locks of all accounts, or none; renew them from then on.

    The account with the lowest id comes first, so that of several runs over the same accounts one has them all. The
    others come several at a time: one by one, thousands would take minutes.

    `wait` are the seconds to wait for a lock that another run holds.

    Raises:
        LockError: another run holds one.
        StoreError: the store cannot be reached.

    """
    ordered = sorted(accounts, key=lambda account: account.id)
    end = clock.elapsed() + wait
    told = False
    while True:
        waited = wait - (end - clock.elapsed())
        held = Held(store, new_lock(stack, caller, clock), clock, warn, waited=waited)
        try:
            held.start()
            obstacle = held.take_all(ordered)
        except BaseException:
            held.release()
            raise
        if obstacle is None:
            return held
        held.release()
        if (left := end - clock.elapsed()) <= 0:
            raise obstacle
        if not told:
            warn(f"xgrant: waiting up to {wait:.0f} s: {obstacle.situation()}")
        told = True
        clock.sleep(min(POLL, left))
