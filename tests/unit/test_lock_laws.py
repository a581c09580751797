"""However several runs take, renew, release and lose a lock: never do two hold it, and the dead make way."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import StoreError
from reconciler.locking import Held
from reconciler.ports import Entry
from tests.stores import DEV, FakeClock, MemoryStore, held_by

HOLDERS = 3


class Rough(MemoryStore):
    """A store between whose calls others act and time passes, and that sometimes does what it says it did not."""

    def __init__(self, clock: FakeClock, between: Callable[[], bool]) -> None:
        super().__init__(clock)
        self.between = between

    def read(self, key: str) -> Entry | None:
        self.between()
        found = super().read(key)
        # Some stores count whole seconds, at both ends.
        return found and Entry(found.content, found.etag, float(round(found.age)))

    def create(self, key: str, content: bytes) -> str | None:
        return self._roughly(lambda: MemoryStore.create(self, key, content))

    def replace(self, key: str, content: bytes, etag: str) -> str | None:
        return self._roughly(lambda: MemoryStore.replace(self, key, content, etag))

    def _roughly(self, write: Callable[[], str | None]) -> str | None:
        self.between()
        result = write()
        if self.between():
            raise StoreError("the answer was lost")
        return result


class World:
    """Runs that act at random, also in the middle of each other's actions."""

    def __init__(self, random: Random) -> None:
        self.clock = FakeClock()
        self.store = Rough(self.clock, self._between)
        self._random = random
        self._runs = [self._new() for _ in range(HOLDERS)]
        self._at_work: set[int] = set()
        self._busy: set[int] = set()

    def play(self) -> None:
        for _ in range(60):
            self._pass_time()
            self._act()

    def calm(self) -> MemoryStore:
        """Return the store as it stands, from now on without disturbances."""
        self.store.between = lambda: False
        return self.store

    def _new(self) -> Held:
        return held_by(self.store, self.clock, "somebody")

    def _pass_time(self) -> None:
        if self._random.random() < 0.4:
            self.clock.seconds += self._random.choice([1, 3, 10, 20, 40, 62])

    def _between(self) -> bool:
        """Let time pass and somebody else act; return whether the call under way shall fail."""
        self._pass_time()
        if self._random.random() < 0.3:
            self._act()
        return self._random.random() < 0.1

    def _act(self) -> None:
        who = self._random.randrange(HOLDERS)
        if who in self._busy:
            return
        self._busy.add(who)
        with suppress(StoreError):
            if who not in self._at_work:
                if self._runs[who].take(DEV) is None:
                    self._at_work.add(who)
            elif self._random.random() < 0.7:
                self._runs[who].renew()
            else:
                # Whoever releases has written its last.
                self._at_work.discard(who)
                run, self._runs[who] = self._runs[who], self._new()
                run.release()
        self._busy.discard(who)
        self.check()

    def check(self) -> None:
        writing = [who for who in self._at_work if not self._runs[who].lost()]
        assert len(writing) <= 1, f"{writing} at {self.clock.seconds}"


@given(st.randoms(use_true_random=True))
def test_two_runs_never_hold_a_lock_at_once(random: Random) -> None:
    World(random).play()


@given(st.randoms(use_true_random=True))
def test_whatever_came_before_a_minute_of_silence_makes_way(random: Random) -> None:
    world = World(random)
    world.play()
    world.clock.seconds += 62
    assert held_by(world.calm(), world.clock, "next").take(DEV) is None
