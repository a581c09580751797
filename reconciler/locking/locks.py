"""What the entry of a lock says, who holds an account by it, and how somebody else lets go of it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from datetime import timedelta

from reconciler.errors import LockError, StoreError, XgrantError
from reconciler.model import Account, Caller
from reconciler.ports import Clock, Entry, Store

LEASE = 60.0
"""Seconds that a lock holds without being renewed."""

PARALLEL = 32
"""How many locks are asked for, taken, renewed or released at a time: 5,000 accounts have theirs renewed in time."""


@dataclass(frozen=True, slots=True)
class Lock:
    """What an entry says: who holds the account since when, or that it was released.

    `id` is that of the run, the same for all its locks. `until` is for people: it is by the holder's clock. `nonce`
    makes every write differ.
    """

    id: str
    stack: str
    account: str
    user: str
    host: str
    process: int
    command: str
    since: str
    until: str
    lease: float
    nonce: str
    released: bool = False

    def content(self) -> bytes:
        """Return it as the content of an entry."""
        return json.dumps({"format": 1, **asdict(self)}, sort_keys=True).encode()


def key_of(stack: str, account: Account) -> str:
    """Return the key of an account's lock; by its id, since manifests may call it by any name."""
    return f"locks/{stack}/{account.id}.json"


def read_lock(content: bytes, where: str) -> Lock:
    """Return the lock that an entry holds; StoreError where it holds none that can be understood."""
    types = {"lease": (int, float), "process": (int,), "released": (bool,)}
    try:
        data = json.loads(content)
        values = {field.name: data[field.name] for field in fields(Lock)}
        understood = data["format"] == 1 and all(
            isinstance(value, types.get(name, (str,))) for name, value in values.items()
        )
    except (ValueError, KeyError, TypeError):
        understood = False
    if not understood:
        raise StoreError(
            f"{where}: this is no lock that this version of xgrant understands; if no run is at work, delete it by hand"
        )
    return Lock(**values)


def describe(lock: Lock, accounts: tuple[str, ...], age: float, *, waited: float = 0) -> LockError:
    """Return what is to be said of locks that another run holds."""
    holder = f"{lock.user} on {lock.host} (process {lock.process})"
    return LockError(
        accounts, lock.id, holder=holder, command=lock.command, since=lock.since, left=lock.lease - age, waited=waited
    )


def holders(store: Store, stack: str, accounts: Iterable[Account]) -> tuple[LockError, ...]:
    """Return for each run that holds accounts now what is to be said of it. Takes and changes nothing."""

    def look(account: Account) -> tuple[str, Lock, float] | None:
        key = key_of(stack, account)
        entry = store.read(key)
        if entry is None:
            return None
        lock = read_lock(entry.content, f"{store.place}: {key}")
        return (account.name, lock, entry.age) if holds(lock, entry) else None

    with ThreadPoolExecutor(PARALLEL, "look") as pool:
        found = list(filter(None, pool.map(look, accounts)))
    runs: dict[str, list[tuple[str, Lock, float]]] = {}
    for one in found:
        runs.setdefault(one[1].id, []).append(one)
    return tuple(
        describe(several[0][1], tuple(name for name, _, _ in several), max(age for _, _, age in several))
        for several in runs.values()
    )


def holds(lock: Lock, entry: Entry) -> bool:
    """Return whether somebody holds the account by this entry: it is not released, and its lease runs."""
    return not lock.released and entry.age <= lock.lease


def unlock(store: Store, stack: str, lock_id: str) -> tuple[Lock, ...]:
    """Release all locks of the stack with this id and return them.

    Raises:
        XgrantError: there is none, or one was renewed in this moment: its holder lives.
        StoreError: the store cannot be reached.

    """
    released, others = [], set()
    for key in store.keys(f"locks/{stack}/"):
        entry = store.read(key)
        lock = read_lock(entry.content, f"{store.place}: {key}") if entry else None
        if entry is None or lock is None or lock.released:
            continue
        if lock.id != lock_id:
            others.add(lock.id)
        elif store.replace(key, marked_released(lock).content(), entry.etag) is None:
            raise XgrantError(
                f"the lock of account {lock.account} was renewed in this moment, so its holder, {lock.user} on "
                f"{lock.host} (process {lock.process}), is alive: end that process, or run the same command again"
            )
        else:
            released.append(lock)
    if not released:
        held = f"held are {', '.join(sorted(others))}" if others else "none is held"
        raise XgrantError(f"the stack {stack} has no lock with the id {lock_id} in {store.place}; {held}")
    return tuple(released)


def marked_released(lock: Lock) -> Lock:
    """Return the lock as it is written to release it."""
    return replace(lock, released=True, nonce=secrets.token_hex(8))


def new_lock(stack: str, caller: Caller, clock: Clock) -> Lock:
    """Return the lock that a run is going to take, for no account yet."""
    return stamped(
        Lock(
            id=secrets.token_hex(8), stack=stack, account="", user=caller.user, host=caller.host,
            process=caller.process, command=caller.command, since=f"{clock.instant():%Y-%m-%d %H:%M:%S} UTC",
            until="", lease=LEASE, nonce="",
        ),
        clock,
    )  # fmt: skip


def stamped(lock: Lock, clock: Clock) -> Lock:
    """Return the lock as it is written now: with its end, and unlike any other write."""
    end = clock.instant() + timedelta(seconds=lock.lease)
    return replace(lock, until=f"{end:%Y-%m-%d %H:%M:%S} UTC", nonce=secrets.token_hex(8))
