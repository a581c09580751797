"""One run at a time: locks around a run, its history beside it, and a writer that stops when the locks are lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from reconciler.events import Notice
from reconciler.history import Journal
from reconciler.locking import Held, acquire, key_of
from reconciler.masking import masked
from reconciler.model import Account, Caller, Event, Manifest, Outcome, Plan
from reconciler.pipeline.guarded import Guarded, refusal
from reconciler.pipeline.stores import managed_accounts, open_store, store_address
from reconciler.ports import Clock, Writer
from reconciler.shards import HeldLock


class Turn:
    """The time in which this run, and no other of its stack, writes the managed accounts."""

    def __init__(
        self, manifest: Manifest, held: Held, journal: Journal, caller: Caller, partition: str, verb: str,
        notify: Callable[[Notice], None],
    ) -> None:  # fmt: skip
        self._store = store_address(manifest)
        self._stack = manifest.stack
        self._held = held
        self._journal = journal
        self._caller = caller
        self._partition = partition
        self._verb = verb
        self._notify = notify
        self._interrupted: Callable[[], str] = str

    @property
    def lock_id(self) -> str:
        """Return the id that `xgrant unlock` takes."""
        return self._held.id

    def lock_of(self, account: Account) -> HeldLock:
        """Return where the lock of an account is to be found, for whoever writes it elsewhere."""
        return HeldLock(self._store, key_of(self._stack, account), self._held.id)

    def stopped(self, also: Callable[[], str] = str) -> Callable[[], str]:
        """Return what says why nothing further may be written; it says nothing while it may.

        That is so when the locks are lost, since another run may have the accounts by then, or when `also` says so: the
        history then tells that the run was interrupted.
        """
        self._interrupted = also
        return lambda: self._held.lost() or also()

    def begin(self, plan: Plan) -> str:
        """Begin the history of the plan's execution, and return the id of its record.

        StoreError, before anything is written, if it cannot be kept.
        """
        from reconciler.aws.store import starting_identity

        caller = replace(self._caller, identity=starting_identity(self._partition, self._notify))
        return self._journal.begin(plan, caller, verb=self._verb, lock=self._held.id)

    def note(self, event: Event) -> None:
        """Write an event into the history."""
        self._journal.note(event)

    def read_back(self, unlike: Iterable[Outcome]) -> None:
        """Write into the history which changes AWS does not show as they were written."""
        for outcome in unlike:
            self._journal.unlike(outcome)

    def settle(self) -> None:
        """Note that all that was to be done is done or not: whoever interrupts it from now on cuts nothing short."""
        why = self._interrupted()
        self._interrupted = lambda: why

    def guard(self, writer: Writer) -> Writer:
        """Return a writer that refuses, with an error that says why, once the locks are lost."""
        return Guarded(writer, self._held.lost)

    def refusal(self) -> str:
        """Return why nothing further may be written, for whoever writes without that writer; nothing while it may."""
        return refusal(self._held.lost)

    def end(self) -> None:
        """End the history and release the locks."""
        try:
            self._journal.end(lost=self._held.lost(), interrupted=self._interrupted())
        finally:
            self._held.release()


@contextmanager
def one_at_a_time(
    manifest: Manifest, caller: Caller, clock: Clock, *, verb: str, wait: float, warn: Callable[[str], None],
    notify: Callable[[Notice], None] = lambda _: None,
) -> Iterator[Turn]:  # fmt: skip
    """Have the locks of all managed accounts inside the block, whatever ends it.

    `wait` are the seconds to wait for a lock that another run holds. `notify` is told of calls to AWS.

    Raises:
        LockError: another run holds one.
        StoreError: the store cannot be reached.

    """
    store = open_store(manifest, notify)
    secrets = external_ids(manifest)
    caller = replace(caller, command=masked(caller.command, secrets))
    accounts = managed_accounts(manifest)
    held = acquire(store, manifest.stack, accounts, caller, clock, wait=wait, warn=warn)
    journal = Journal(store, clock, lambda text: masked(text, secrets), warn)
    turn = Turn(manifest, held, journal, caller, accounts[0].partition if accounts else "aws", verb, notify)
    try:
        yield turn
    finally:
        turn.end()


def external_ids(manifest: Manifest) -> frozenset[str]:
    """Return all external ids that the manifest knows."""
    ways = {way for account in (*manifest.accounts.values(), *manifest.inactive) for way in account.ways()}
    ways |= {manifest.default_access, *([manifest.organization.access] if manifest.organization else [])}
    used = {way.external_id for way in ways} | {way.hub.external_id for way in ways if way.hub}
    for grant in manifest.grants:
        for keys in grant.conditions.values():
            for key, values in keys.items():
                if key.casefold() == "sts:externalid":
                    used.update(values)
    return frozenset(found for found in used if found)
