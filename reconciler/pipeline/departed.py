"""Accounts that the stack has applied to and the manifests no longer have: what it left there must not be forgotten.

Every apply leaves the lock of each account in the store, released; so the store knows them all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

from reconciler.errors import XgrantError
from reconciler.events import Notice
from reconciler.locking import read_lock
from reconciler.model import Access, Account, Departed, Manifest, Scope
from reconciler.ownership import owns
from reconciler.pipeline.main_job import aws_ports
from reconciler.pipeline.stores import managed_accounts, open_store
from reconciler.ports import Store

_ID = re.compile(r"[0-9]{12}")


def departed(manifest: Manifest, notify: Callable[[Notice], None] = lambda _: None) -> tuple[str, ...]:
    """Return the ids of the accounts that have left, without those of which it is known that nothing is left there.

    Raises:
        StoreError: the store cannot be reached.

    """
    store = open_store(manifest, notify)
    known = {account.id for account in managed_accounts(manifest)}
    prefix = f"locks/{manifest.stack}/"
    ids = (key.removeprefix(prefix).removesuffix(".json") for key in store.keys(prefix))
    return tuple(
        account_id
        for account_id in sorted(filter(_ID.fullmatch, ids))
        if account_id not in known and not _settled(store, manifest.stack, account_id)
    )


def left_behind(manifest: Manifest, notify: Callable[[Notice], None] = lambda _: None) -> tuple[Departed, ...]:
    """Read the accounts that have left, as the defaults reach them; note in the store where nothing is left.

    Raises:
        StoreError: the store cannot be reached.

    """
    store = open_store(manifest, notify)
    found: list[Departed] = []
    inactive = {account.id: account for account in manifest.inactive}
    # A stack is of one partition, as a grant is.
    partition = next((account.partition for account in manifest.accounts.values()), "aws")
    for account_id in departed(manifest, notify):
        if gone := inactive.get(account_id):
            # AWS lets nobody in, whatever the role.
            why = f"it is {gone.state}: nothing can be done there until the organization has it as ACTIVE again"
            found.append(Departed(account_id, gone.name, gone.state, None, why))
            continue
        account = Account(account_id, account_id, partition=partition, access=manifest.default_access)
        # Before the account is read: a run that comes between makes another mark.
        mark = _mark(store, manifest.stack, account_id)
        found.append(_left(manifest, account, _name(store, manifest.stack, account_id), notify))
        if found[-1].resources == () and mark:
            _settle(store, manifest.stack, account_id, mark)
    return tuple(found)


def _left(manifest: Manifest, account: Account, name: str, notify: Callable[[Notice], None]) -> Departed:
    if account.access == Access():
        why = "nothing says how to reach it: state it under accounts, or state defaults.access without variables"
        return Departed(account.id, name, "", None, why)
    reader, _ = aws_ports(replace(manifest, accounts={account.name: account}), notify)
    try:
        live = reader.read(Scope(manifest.stack, (account,), frozenset()))
    except XgrantError as error:
        return Departed(account.id, name, "", None, str(error))
    owned = sorted(str(address) for address, found in live.state.items() if owns(manifest.stack, found))
    return Departed(account.id, name, "", tuple(owned))


def _name(store: Store, stack: str, account_id: str) -> str:
    """Return what the account was called when it was applied to last."""
    key = f"locks/{stack}/{account_id}.json"
    entry = store.read(key)
    return "" if entry is None else read_lock(entry.content, f"{store.place}: {key}").account


def _key(stack: str, account_id: str) -> str:
    return f"departed/{stack}/{account_id}.json"


def _settled(store: Store, stack: str, account_id: str) -> bool:
    """Return whether nothing was left there when it was looked at, and it was not applied to since."""
    entry = store.read(_key(stack, account_id))
    return entry is not None and entry.content == _mark(store, stack, account_id)


def _settle(store: Store, stack: str, account_id: str, mark: bytes) -> None:
    key = _key(stack, account_id)
    entry = store.read(key)
    if entry is None:
        store.create(key, mark)
    elif entry.content != mark:
        store.replace(key, mark, entry.etag)


def _mark(store: Store, stack: str, account_id: str) -> bytes:
    """Return what tells this state of an account's lock from any other; nothing while a run holds it."""
    key = f"locks/{stack}/{account_id}.json"
    entry = store.read(key)
    if entry is None or not read_lock(entry.content, f"{store.place}: {key}").released:
        return b""
    return json.dumps({"lock": sha256(entry.content).hexdigest()}).encode()
