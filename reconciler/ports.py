"""What the pipeline needs of AWS. `reconciler.aws` has the real ones."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from reconciler.model import Address, ApiCall, Live, Resource, Scope


class Reader(Protocol):
    """Reads accounts; holds nothing that could write."""

    def read(self, scope: Scope) -> Live:
        """Read all accounts of the scope that are managed.

        Of an account that cannot be read the facts say why, and the state has nothing. Raises AwsError or
        SeveralAccountsError where that is so of every account.
        """
        ...


class Writer(Protocol):
    """Writes one resource at a time, in any thread. Raises AwsError when AWS refuses."""

    def standing(self, address: Address, like: Resource) -> Resource | None:
        """Read what stands at the address now; `like` is what is expected there, or will be."""
        ...

    def change(self) -> AbstractContextManager[list[ApiCall]]:
        """Begin a step in this thread: it has a ceiling of time, and the list yields the calls that it takes."""
        ...

    def write(self, address: Address, before: Resource | None, after: Resource) -> None:
        """Bring the resource from `before` to `after`; create it where `before` is None."""
        ...

    def remove(self, address: Address, before: Resource) -> None:
        """Delete the resource with all that `before` says hangs on it. One that is gone already is no error."""
        ...
