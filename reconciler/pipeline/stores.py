"""The store of a manifest, and what people ask of it: who holds the locks, release them, show the history."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from reconciler.errors import LockError, XgrantError
from reconciler.events import Notice
from reconciler.history import Record, newest, read_record, with_prefix
from reconciler.locking import holders, unlock
from reconciler.model import Account, Manifest
from reconciler.ports import Store

FOLDER = ".xgrant"
"""Where locks and history are kept unless the manifest says otherwise."""

FOLDER_VARIABLE = "XGRANT_FOLDER"
"""The environment variable that names another folder, for example one for all checkouts of a machine."""


def store_folder(path: str) -> Path:
    """Return the folder for locks and history of the manifests at a path, from wherever xgrant is run.

    It lies in the nearest folder around them that has one already or is a git repository; else beside them.
    """
    if stated := os.environ.get(FOLDER_VARIABLE):
        return Path(stated)
    named = Path(path).resolve()
    around = (named, *named.parents) if named.is_dir() else tuple(named.parents)
    for folder in around:
        if (folder / FOLDER).is_dir() or (folder / ".git").exists():
            return folder / FOLDER
    return named.parent / FOLDER


def open_store(manifest: Manifest, notify: Callable[[Notice], None] = lambda _: None) -> Store:
    """Return the store that the manifest says; nothing is read or written yet. `notify` is told of calls to AWS."""
    if manifest.store:
        from reconciler.aws.store import S3Store

        return S3Store(manifest.store, notify)
    from reconciler.store import FileStore

    return FileStore(store_folder(manifest.path))


def store_address(manifest: Manifest) -> str:
    """Return where the store is for whoever else opens it: its URL, or its folder."""
    return manifest.store or str(store_folder(manifest.path))


def locks_held(manifest: Manifest, notify: Callable[[Notice], None]) -> tuple[LockError, ...]:
    """Return what is to be said of each run that holds managed accounts; StoreError where that cannot be known."""
    return holders(open_store(manifest, notify), manifest.stack, managed_accounts(manifest))


def release_locks(manifest: Manifest, lock_id: str) -> tuple[str, ...]:
    """Release the locks with this id; return the accounts. XgrantError where there is none."""
    return tuple(lock.account for lock in unlock(open_store(manifest), manifest.stack, lock_id))


def read_history(manifest: Manifest, number: int) -> tuple[tuple[Record, ...], int, str]:
    """Return the newest records of the stack, how many older ones there are, and what messages call the store."""
    store = open_store(manifest)
    return *newest(store, manifest.stack, number), store.place


def read_one_record(manifest: Manifest, beginning: str) -> Record:
    """Return a record of the stack by its id, or the beginning of it; XgrantError unless there is just one."""
    store = open_store(manifest)
    where = f"the history of the stack {manifest.stack} in {store.place}"
    ids = with_prefix(store, manifest.stack, beginning)
    if len(ids) > 1:
        raise XgrantError(f"{where} has {len(ids)} records that begin with {beginning}; write more of it")
    found = read_record(store, manifest.stack, ids[0]) if ids else None
    if found is None:
        raise XgrantError(f"{where} has no {beginning}")
    return found


def managed_accounts(manifest: Manifest) -> list[Account]:
    """Return the accounts that are read and written, by name."""
    return [account for _, account in sorted(manifest.accounts.items()) if account.managed]
