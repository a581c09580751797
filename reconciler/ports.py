"""What the pipeline needs of AWS. `reconciler.aws` has the real ones."""

from __future__ import annotations

from typing import Protocol

from reconciler.model import Address, Live, Resource, Scope


class Reader(Protocol):
    """Reads accounts; holds nothing that could write."""

    def read(self, scope: Scope) -> Live:
        """Read all accounts of the scope that are managed.

        Of an account that cannot be read the facts say why, and the state has nothing. Raises AwsError or
        SeveralAccountsError where that is so of every account.
        """
        ...


class Writer(Protocol):
    """Writes one resource at a time. Raises AwsError when AWS refuses."""

    def write(self, address: Address, before: Resource | None, after: Resource) -> None:
        """Bring the resource from `before` to `after`; create it where `before` is None."""
        ...

    def remove(self, address: Address, before: Resource) -> None:
        """Delete the resource with all that `before` says hangs on it. One that is gone already is no error."""
        ...
