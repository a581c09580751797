"""The store of a manifest, and what people ask of it: who holds the locks, release them, show the history."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from reconciler.errors import LockError, XgrantError
from reconciler.events import Notice
from reconciler.history import Record, newest, read_record
from reconciler.locking import holders, unlock
from reconciler.model import Account, Manifest
from reconciler.ports import Store

FOLDER = Path(".xgrant")
"""Where locks and history are kept unless the manifest says otherwise, below the current directory."""


def open_store(manifest: Manifest, notify: Callable[[Notice], None] = lambda _: None) -> Store:
    """Return the store that the manifest says; nothing is read or written yet. `notify` is told of calls to AWS."""
    if manifest.store:
        from reconciler.aws.store import S3Store

        return S3Store(manifest.store, notify)
    from reconciler.store import FileStore

    return FileStore(FOLDER)


def locks_held(manifest: Manifest) -> tuple[LockError, ...]:
    """Return what is to be said of each managed account that a run holds; StoreError where that cannot be known."""
    return holders(open_store(manifest), manifest.stack, managed_accounts(manifest))


def release_locks(manifest: Manifest, lock_id: str) -> tuple[str, ...]:
    """Release the locks with this id; return the accounts. XgrantError where there is none."""
    return tuple(lock.account for lock in unlock(open_store(manifest), manifest.stack, lock_id))


def read_history(manifest: Manifest, number: int) -> tuple[tuple[Record, ...], int]:
    """Return the newest records of the stack, and how many older ones there are."""
    return newest(open_store(manifest), manifest.stack, number)


def read_one_record(manifest: Manifest, record_id: str) -> Record:
    """Return a record of the stack by its id; XgrantError where there is none."""
    store = open_store(manifest)
    found = read_record(store, manifest.stack, record_id)
    if found is None:
        raise XgrantError(f"the history of the stack {manifest.stack} in {store.place} has no {record_id}")
    return found


def managed_accounts(manifest: Manifest) -> list[Account]:
    """Return the accounts that are read and written, by name."""
    return [account for _, account in sorted(manifest.accounts.items()) if account.managed]
