"""One run at a time: locks around a run, its history beside it, and a writer that stops when the locks are lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from reconciler.errors import XgrantError
from reconciler.history import Journal
from reconciler.locking import Held, acquire
from reconciler.masking import masked
from reconciler.model import Address, Caller, Event, Manifest, Plan, Resource
from reconciler.pipeline.stores import managed_accounts, open_store
from reconciler.ports import Clock, Writer


class Turn:
    """The time in which this run, and no other of its stack, writes the managed accounts."""

    def __init__(self, held: Held, journal: Journal, caller: Caller, partition: str, verb: str) -> None:
        self._held = held
        self._journal = journal
        self._caller = caller
        self._partition = partition
        self._verb = verb
        self._interrupted: Callable[[], str] = str

    def stopped(self, also: Callable[[], str] = str) -> Callable[[], str]:
        """Return what says why nothing further may be written; it says nothing while it may.

        That is so when the locks are lost, since another run may have the accounts by then, or when `also` says so: the
        history then tells that the run was interrupted.
        """
        self._interrupted = also
        return lambda: self._held.lost() or also()

    def begin(self, plan: Plan) -> None:
        """Begin the history of the plan's execution; StoreError, before anything is written, if it cannot be kept."""
        from reconciler.aws.store import starting_identity

        caller = replace(self._caller, identity=starting_identity(self._partition))
        self._journal.begin(plan, caller, verb=self._verb, lock=self._held.id)

    def note(self, event: Event) -> None:
        """Write an event into the history."""
        self._journal.note(event)

    def guard(self, writer: Writer) -> Writer:
        """Return a writer that refuses, with an error that says why, once the locks are lost."""
        return _Guarded(writer, self._held.lost)

    def end(self) -> None:
        """End the history and release the locks."""
        try:
            self._journal.end(lost=self._held.lost(), interrupted=self._interrupted())
        finally:
            self._held.release()


class _Guarded:
    def __init__(self, writer: Writer, lost: Callable[[], str]) -> None:
        self._writer = writer
        self._lost = lost

    def write(self, address: Address, before: Resource | None, after: Resource) -> None:
        self._check()
        self._writer.write(address, before, after)

    def remove(self, address: Address, before: Resource) -> None:
        self._check()
        self._writer.remove(address, before)

    def _check(self) -> None:
        if why := self._lost():
            raise XgrantError(f"not written: {why}, so another run may be at work; plan again")


@contextmanager
def one_at_a_time(
    manifest: Manifest, caller: Caller, clock: Clock, *, verb: str, wait: float, warn: Callable[[str], None]
) -> Iterator[Turn]:
    """Have the locks of all managed accounts inside the block, whatever ends it.

    `wait` are the seconds to wait for a lock that another run holds.

    Raises:
        LockError: another run holds one.
        StoreError: the store cannot be reached.

    """
    store = open_store(manifest)
    secrets = external_ids(manifest)
    caller = replace(caller, command=masked(caller.command, secrets))
    accounts = managed_accounts(manifest)
    held = acquire(store, manifest.stack, accounts, caller, clock, wait=wait, warn=warn)
    journal = Journal(store, clock, lambda text: masked(text, secrets), warn)
    turn = Turn(held, journal, caller, accounts[0].partition if accounts else "aws", verb)
    try:
        yield turn
    finally:
        turn.end()


def external_ids(manifest: Manifest) -> frozenset[str]:
    """Return all external ids that the manifest knows."""
    used = {account.access.external_id for account in manifest.accounts.values()}
    for grant in manifest.grants:
        for keys in grant.conditions.values():
            for key, values in keys.items():
                if key.casefold() == "sts:externalid":
                    used.update(values)
    return frozenset(found for found in used if found)
