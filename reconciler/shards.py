"""The work of one account as plain data, so that it can be done by any thread, process or machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from reconciler import __version__
from reconciler.events import Notice
from reconciler.model import Account, AccountFacts, Address, Resource, Result, Scope, Step


@dataclass(frozen=True, slots=True)
class HeldLock:
    """Where a lock of the run is to be found, so that whoever works elsewhere can see that it still holds.

    `store` is like `s3://bucket/prefix`, or a folder; `id` is that of the run's locks.
    """

    store: str
    key: str
    id: str


@dataclass(frozen=True, slots=True)
class ShardRequest:
    """What is to be done in one account: read it, say which of AWS's own policies there are, or execute a step.

    `run` is the same for all requests of a run: who works for it keeps connections that long. `read` is of this one
    account. `policies` are ARNs of AWS's own managed policies. For a step, `ids` are the ARNs of users and roles by
    the unique ids that its trust policies may show, `made` and `taken` are what the run has made, and from what it has
    taken something away, of what the step is about (see `aws/retry.py`), and `lock` is asked before each call that
    writes. `version` is xgrant's: only the same one knows what is meant.
    """

    run: str
    stack: str
    account: Account
    read: Scope | None = None
    policies: frozenset[str] = frozenset()
    step: Step | None = None
    ids: Mapping[str, str] = field(default_factory=dict)
    made: frozenset[object] = frozenset()
    taken: frozenset[object] = frozenset()
    lock: HeldLock | None = None
    version: str = __version__


@dataclass(frozen=True, slots=True)
class ShardResult:
    """What became of a request. `error` says why an account could not be read; a step that failed is a `result`.

    `facts` and `state` are of a read, `policies` those of the request that exist. `notices` are what was told on the
    way, `made` and `taken` what the step has made, and from what it has taken something away.
    """

    account: str
    error: str = ""
    facts: AccountFacts | None = None
    state: Mapping[Address, Resource] = field(default_factory=dict)
    policies: frozenset[str] = frozenset()
    result: Result | None = None
    notices: tuple[Notice, ...] = ()
    made: frozenset[object] = frozenset()
    taken: frozenset[object] = frozenset()


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `of` parts of all accounts, counted from 1."""

    number: int
    of: int

    def has(self, account: Account) -> bool:
        """Return whether the account is in this part; always the same for the same account."""
        return account.stable_hash() % self.of + 1 == self.number

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


Work = Callable[[Iterable[ShardRequest]], Iterator[ShardResult]]
"""Does all requests, several at a time, and yields each result as it comes."""
