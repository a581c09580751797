"""A lock has one holder, on whichever store; its lease is renewed, runs out, and is never released for another."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from reconciler.commands import clock as real_clock
from reconciler.errors import LockError, StoreError, XgrantError
from reconciler.history import Journal
from reconciler.locking import Held, acquire, holders, unlock
from reconciler.locking.locks import key_of
from reconciler.model import Account, Caller, Manifest
from reconciler.pipeline.turns import Turn
from reconciler.sandbox.scenario import TARGET
from tests.stores import DEV, DEV_KEY, FakeClock, Kept, MemoryStore, held_by

STORAGE = Account("storage", TARGET)
STORAGE_KEY = f"locks/platform/{TARGET}.json"
MANY = [Account(f"a{number}", f"{number:012}") for number in range(60)]
ALICE = Caller("alice", "host-1", 123, "xgrant apply")
BOB = Caller("bob", "host-2", 321, "xgrant apply --auto-approve")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def content_of(kept: Kept, key: str = DEV_KEY) -> dict[str, object]:
    entry = kept.store.read(key)
    assert entry is not None
    data: dict[str, object] = json.loads(entry.content)
    return data


def test_who_comes_second_is_told_who_has_the_account(kept: Kept, clock: FakeClock) -> None:
    first = held_by(kept.store, clock, "alice")
    assert first.take(DEV) is None
    obstacle = held_by(kept.store, clock, "bob").take(DEV)
    assert obstacle is not None
    assert str(obstacle).startswith(
        "account dev is locked by alice on host-1 (process 123): `xgrant apply`, since 2026-01-31 12:00:00 UTC; unless "
        "it is renewed, the lock ends in "
    )
    assert str(obstacle).endswith(
        "s. What to do: wait with --lock-timeout; or, if that process is gone for certain, "
        f"`xgrant unlock --id {first.id}`, with the manifests that this command names"
    )
    assert 0 < obstacle.left <= 60


def test_a_released_lock_can_be_taken_and_its_release_is_no_takeover(kept: Kept, clock: FakeClock) -> None:
    first, warnings = held_by(kept.store, clock, "alice"), list[str]()
    first.take(DEV)
    first.release()
    assert held_by(kept.store, clock, "bob", warnings=warnings).take(DEV) is None
    assert warnings == []


def test_a_lease_that_is_over_is_taken_over_and_that_is_said(kept: Kept, clock: FakeClock) -> None:
    first, second, warnings = held_by(kept.store, clock, "alice"), None, list[str]()
    first.take(DEV)
    kept.age(DEV_KEY, 58)
    second = held_by(kept.store, clock, "bob", warnings=warnings)
    assert second.take(DEV) is not None
    kept.age(DEV_KEY, 4)
    assert second.take(DEV) is None
    (said,) = warnings
    assert said == (
        "xgrant: the lock of account dev is taken over: alice on host-1 (process 123) has held it since "
        "2026-01-31 12:00:00 UTC, and no longer renews it"
    )


def test_a_renewed_lease_begins_anew(kept: Kept, clock: FakeClock) -> None:
    first = held_by(kept.store, clock, "alice")
    first.take(DEV)
    kept.age(DEV_KEY, 100)
    clock.seconds = 44
    first.renew()
    assert held_by(kept.store, clock, "bob").take(DEV) is not None
    clock.seconds = 44 + 44
    assert not first.lost()


def test_a_lock_that_was_taken_over_is_lost_and_stays_so_and_is_not_released(kept: Kept, clock: FakeClock) -> None:
    first, second = held_by(kept.store, clock, "alice"), held_by(kept.store, clock, "bob")
    first.take(DEV)
    kept.age(DEV_KEY, 100)
    assert second.take(DEV) is None
    assert not first.lost()
    first.renew()
    assert "taken over or released by another" in first.lost()
    first.release()
    assert first.lost()
    assert content_of(kept)["user"] == "bob"
    assert content_of(kept)["released"] is False
    second.renew()
    assert not second.lost()


def test_a_lock_that_was_not_renewed_in_time_is_lost_before_another_can_have_it(clock: FakeClock) -> None:
    first = held_by(MemoryStore(clock), clock, "alice")
    first.take(DEV)
    clock.seconds = 45
    assert not first.lost()
    clock.seconds = 46
    assert first.lost() == "the lock of account dev could not be renewed in time"
    first.renew()
    assert first.lost()


def test_an_answer_that_never_came_loses_no_lock(kept: Kept, clock: FakeClock) -> None:
    first = held_by(kept.store, clock, "alice")
    first.take(DEV)
    # As a renewal of which we only know that it failed.
    entry = kept.store.read(DEV_KEY)
    assert entry is not None
    kept.store.replace(DEV_KEY, entry.content.replace(b'"nonce": "', b'"nonce": "x'), entry.etag)
    first.renew()
    assert not first.lost()
    first.release()
    assert content_of(kept)["released"] is True


def test_all_locks_are_taken_or_none(kept: Kept, clock: FakeClock) -> None:
    held_by(kept.store, clock, "alice").take(STORAGE)
    with pytest.raises(LockError, match="account storage is locked by alice"):
        acquire(kept.store, "platform", [STORAGE, DEV], BOB, clock, wait=0, warn=print)
    assert content_of(kept)["released"] is True
    assert held_by(kept.store, clock, "carol").take(DEV) is None


def test_of_many_locks_none_is_kept_where_one_is_another_s(kept: Kept, clock: FakeClock) -> None:
    held_by(kept.store, clock, "alice").take(MANY[30])
    with pytest.raises(LockError, match="account a30 is locked by alice"):
        acquire(kept.store, "platform", MANY, BOB, clock, wait=0, warn=print)
    assert [found.holder for found in holders(kept.store, "platform", MANY)] == ["alice on host-1 (process 123)"]


def test_of_two_runs_at_once_over_the_same_accounts_one_has_all_of_them(clock: FakeClock) -> None:
    for _ in range(20):
        store, start = MemoryStore(clock), threading.Barrier(2)

        def run(caller: Caller, store: MemoryStore = store, start: threading.Barrier = start) -> Held | None:
            start.wait()
            try:
                return acquire(store, "platform", MANY, caller, clock, wait=0, warn=print)
            except LockError:
                return None

        with ThreadPoolExecutor(2) as pool:
            winners = [held for held in pool.map(run, (ALICE, BOB)) if held is not None]
        assert len(winners) == 1
        winners[0].release()


def test_the_locks_of_many_accounts_are_taken_renewed_and_released_several_at_a_time(clock: FakeClock) -> None:
    meeting = threading.Barrier(8)

    class Meeting(MemoryStore):
        """A store that writes no lock but the first until eight are to be written."""

        def create(self, key: str, content: bytes) -> str | None:
            self.meet(key)
            return super().create(key, content)

        def replace(self, key: str, content: bytes, etag: str) -> str | None:
            self.meet(key)
            return super().replace(key, content, etag)

        def meet(self, key: str) -> None:
            if key != key_of("platform", MANY[0]):
                meeting.wait(10)

    held = acquire(Meeting(clock), "platform", MANY[:41], BOB, clock, wait=0, warn=print)
    held.renew()
    assert not held.lost()
    held.release()


def test_stacks_do_not_keep_each_other_out(kept: Kept, clock: FakeClock) -> None:
    held_by(kept.store, clock, "alice").take(DEV)
    other = acquire(kept.store, "other", [DEV], BOB, clock, wait=0, warn=print)
    other.release()


def test_who_waits_gets_the_lock_when_it_is_released(kept: Kept, clock: FakeClock) -> None:
    first, warnings = held_by(kept.store, clock, "alice"), list[str]()
    first.take(DEV)

    class Busy(FakeClock):
        def sleep(self, seconds: float, /) -> None:
            super().sleep(seconds)
            if self.seconds >= 3:
                first.release()

    busy = Busy()
    held = acquire(kept.store, "platform", [DEV], BOB, busy, wait=10, warn=warnings.append)
    held.release()
    assert busy.seconds == 3
    assert [text.split(":")[:2] for text in warnings] == [["xgrant", " waiting up to 10 s"]]


def test_who_has_waited_long_enough_gives_up(kept: Kept, clock: FakeClock) -> None:
    held_by(kept.store, clock, "alice").take(DEV)
    with pytest.raises(LockError, match="this run has waited 7 s in vain; or, if that process"):
        acquire(kept.store, "platform", [DEV], BOB, clock, wait=7, warn=lambda _: None)
    assert clock.seconds == 7


def test_the_locks_of_one_run_are_told_as_one(kept: Kept, clock: FakeClock) -> None:
    alice, bob = held_by(kept.store, clock, "alice"), held_by(kept.store, clock, "bob")
    alice.take(DEV)
    alice.take(STORAGE)
    (told,) = holders(kept.store, "platform", [DEV, STORAGE])
    assert told.situation().startswith("accounts dev, storage are locked by alice on host-1")
    alice.release()
    bob.take(STORAGE)
    assert [told.accounts for told in holders(kept.store, "platform", [DEV, STORAGE])] == [("storage",)]


def test_the_lease_is_renewed_in_the_background(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    renewed, renew = threading.Event(), Held.renew

    def noted(held: Held) -> None:
        renew(held)
        renewed.set()

    monkeypatch.setattr(Held, "renew", noted)
    monkeypatch.setattr("reconciler.locking.locks.LEASE", 0.3)
    held = acquire(kept.store, "platform", [DEV], BOB, real_clock, wait=0, warn=print)
    before = content_of(kept)["nonce"]
    for _ in range(2):  # The first may have begun before.
        renewed.clear()
        assert renewed.wait(30)
    assert content_of(kept)["nonce"] != before
    held.release()
    assert content_of(kept)["released"] is True


def test_a_lock_with_an_id_is_released_and_no_other(kept: Kept, clock: FakeClock) -> None:
    alice, bob = held_by(kept.store, clock, "alice"), held_by(kept.store, clock, "bob")
    alice.take(DEV)
    bob.take(STORAGE)
    assert [lock.account for lock in unlock(kept.store, "platform", alice.id)] == ["dev"]
    assert [held.accounts for held in holders(kept.store, "platform", [DEV, STORAGE])] == [("storage",)]
    alice.renew()
    assert alice.lost()
    with pytest.raises(XgrantError, match=f"no lock with the id {alice.id}.* held are {bob.id}"):
        unlock(kept.store, "platform", alice.id)
    with pytest.raises(XgrantError, match="none is held"):
        unlock(kept.store, "other", alice.id)


def test_a_lock_that_is_renewed_in_the_same_moment_is_not_released(clock: FakeClock) -> None:
    class Renewing(MemoryStore):
        def replace(self, key: str, content: bytes, etag: str) -> str | None:
            if b'"released": true' in content:
                found = self.read(key)
                assert found is not None
                super().replace(key, found.content + b" ", found.etag)
            return super().replace(key, content, etag)

    store = Renewing(clock)
    alice = held_by(store, clock, "alice")
    alice.take(DEV)
    with pytest.raises(XgrantError, match="renewed in this moment, so its holder, alice on host-1"):
        unlock(store, "platform", alice.id)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b'{"format": 2}', b'{"format": 1, "id": 1}', b"\xff", b'"format"'], ids=repr
)
def test_what_is_no_lock_stops_everybody_and_is_left_alone(clock: FakeClock, content: bytes) -> None:
    store = MemoryStore(clock)
    store.create(DEV_KEY, content)
    with pytest.raises(StoreError, match=r"memory: locks/platform/\d+.json: this is no lock"):
        held_by(store, clock, "alice").take(DEV)
    entry = store.read(DEV_KEY)
    assert entry is not None
    assert entry.content == content


def test_an_unreachable_store_keeps_no_lock_waiting_for_its_release(clock: FakeClock) -> None:
    class Failing(MemoryStore):
        def replace(self, *_: object) -> str | None:
            raise StoreError("gone")

    warnings = list[str]()
    held = held_by(Failing(clock), clock, "alice", warnings=warnings)
    held.take(DEV)
    held.release()
    (said,) = warnings
    assert said.startswith(f"xgrant: not all of the locks {held.id} can be released; the others end by themselves")


def test_a_turn_says_why_nothing_further_may_be_written(clock: FakeClock) -> None:
    store, why = MemoryStore(clock), list[str]()
    held = held_by(store, clock, "alice")
    held.take(DEV)
    turn = Turn(
        Manifest("platform", {"dev": DEV}, ()),
        held,
        Journal(store, clock, str, print),
        BOB,
        "aws",
        "apply",
        lambda _: None,
    )
    stopped = turn.stopped(lambda: "".join(why))
    assert stopped() == ""
    why.append("interrupted")
    assert stopped() == "interrupted"
    clock.seconds = 46
    assert stopped() == "the lock of account dev could not be renewed in time"
