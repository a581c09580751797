"""What the pipeline needs of AWS, of the store of locks and history, and of time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from reconciler.errors import AwsError
from reconciler.model import Account, Address, ApiCall, Live, Organization, Resource, Scope
from reconciler.policy.document import PolicyDocument


class Directory(Protocol):
    """Lists the accounts of an organization."""

    def accounts(self, organization: Organization, *, tags: bool) -> tuple[Account, ...]:
        """Return all accounts, of whatever state, by the names that they have there; their tags if that is asked.

        Raises AwsError where it cannot be asked.
        """
        ...


@dataclass(frozen=True, slots=True)
class Opinion:
    """What Access Analyzer says of a document: its kind, code, words and link, and the element of which statement."""

    kind: str
    code: str
    details: str
    link: str
    statement: int = 0
    element: str = ""


class Analyzer(Protocol):
    """Judges policy documents with the identity that reads an account. Raises AwsError where it cannot be asked."""

    def validate(self, account: Account, document: PolicyDocument, *, trust: bool) -> tuple[Opinion, ...]:
        """Return what there is to say of a permissions policy, or of a trust policy."""
        ...

    def new_access(
        self, account: Account, new: PolicyDocument, existing: PolicyDocument, *, trust: bool
    ) -> tuple[str, ...]:
        """Return why a new document may allow what an existing one does not; nothing where it does not."""
        ...


class Reader(Protocol):
    """Reads accounts; holds nothing that could write."""

    def read(self, scope: Scope, stopped: Callable[[], str] = str) -> Live:
        """Read all accounts of the scope that are managed.

        Once `stopped` says why, no call that failed is waited for any more.
        Of an account that cannot be read the facts say why, and the state has nothing. Raises AwsError or
        SeveralAccountsError where that is so of every account.
        """
        ...


Toward = Callable[[Resource | None], None]
"""Is told before each call that writes what will stand once it is done."""


class Writer(Protocol):
    """Writes one resource at a time, in any thread. Raises AwsError when AWS refuses."""

    def standing(self, address: Address, like: Resource) -> Resource | None:
        """Read what stands at the address now; `like` is what is expected there, or will be."""
        ...

    def step(self, forbidden: Callable[[], str] = str) -> AbstractContextManager[list[ApiCall]]:
        """Begin a step in this thread: it has a ceiling of time, and the list yields the calls that it takes.

        Once `forbidden` says why, no further call of the step is made: XgrantError.
        """
        ...

    def look_again(self, error: AwsError) -> bool:
        """Return, after a pause, whether the step that failed so may look again at what stands, and go on from there.

        That is so where somebody else was writing the same thing, and where AWS still shows what was taken away.
        """
        ...

    def write(self, address: Address, before: Resource | None, after: Resource, toward: Toward) -> None:
        """Bring the resource from `before` to `after`; create it where `before` is None."""
        ...

    def remove(self, address: Address, before: Resource, toward: Toward) -> None:
        """Delete the resource with all that `before` says hangs on it. One that is gone already is no error."""
        ...


@dataclass(frozen=True, slots=True)
class Entry:
    """What a store holds under a key. `etag` names this very content; `age` is its seconds, by the store's own clock.

    So two machines need not agree on the time.
    """

    content: bytes
    etag: str
    age: float


class Store(Protocol):
    """Where locks and history are kept: entries that are written on conditions, and logs that only grow.

    Keys and logs are like `locks/platform/123456789012.json`. Every method raises StoreError where the store cannot
    be reached.
    """

    @property
    def place(self) -> str:
        """What messages call the store."""
        ...

    def read(self, key: str) -> Entry | None:
        """Return the entry as it is now; None where there is none."""
        ...

    def create(self, key: str, content: bytes) -> str | None:
        """Write a new entry and return its etag; write nothing and return None where there is one already."""
        ...

    def replace(self, key: str, content: bytes, etag: str) -> str | None:
        """Write an entry in the place of this very one and return its etag; None, and nothing, if it is another now.

        No content may ever be written twice: one write is told from another by it.
        """
        ...

    def keys(self, prefix: str) -> tuple[str, ...]:
        """Return the keys of the entries below a prefix that ends with `/`, in order."""
        ...

    def append(self, log: str, line: bytes) -> None:
        """Add a line to a log, and return once it is kept for certain. A log has one writer."""
        ...

    def lines(self, log: str, *, ends: bool = False) -> tuple[bytes, ...]:
        """Return the lines of a log, in order, without line breaks; with `ends` no more than the first and the last.

        A writer that was killed may have left a part of the last one.
        """
        ...

    def logs(self, prefix: str) -> tuple[str, ...]:
        """Return the logs directly below a prefix that ends with `/`, in order."""
        ...


class Clock(Protocol):
    """Time, as locks and history need it."""

    def instant(self) -> datetime:
        """Return the time in UTC."""
        ...

    def elapsed(self) -> float:
        """Return seconds that only grow, the time that this machine sleeps included."""
        ...

    def sleep(self, seconds: float, /) -> None:
        """Wait."""
        ...
