"""What stands in the emulated AWS, kept and put back: to make it anew by calls takes a hundred times as long."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Concatenate, ParamSpec, TypeVar

from moto.core.base_backend import BackendDict
from moto.s3.models import s3_backends

from reconciler.sandbox.server import Sandbox

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Saved:
    """All that the accounts hold; of the strict layer, which accounts are closed. Its other switches are not kept."""

    places: tuple[tuple[Any, str, str], ...]
    """Where each of the backends stands: the service, the account and the region."""
    backends: bytes
    """Those, pickled in one, since some refer to each other. To forget an object moto empties all copies of it."""
    buckets: dict[str, Any]
    closed: frozenset[str]


def save(sandbox: Sandbox) -> Saved:
    """Return a copy of what the sandbox holds."""
    places = tuple(
        (service, account, region)
        for service in BackendDict._instances  # type: ignore[misc]
        for account, region, _ in service.iter_backends()
    )  # fmt: skip
    return Saved(
        places,
        pickle.dumps([service[account][region] for service, account, region in places]),
        dict(s3_backends.bucket_accounts),
        frozenset(sandbox.strict.trusts.closed),
    )


def restore(sandbox: Sandbox, saved: Saved) -> None:
    """Let the sandbox hold what it held when it was saved, and nothing else; all its switches are off then."""
    sandbox.reset()
    for (service, account, region), backend in zip(saved.places, pickle.loads(saved.backends), strict=True):
        service[account][region] = backend
    s3_backends.bucket_accounts.update(saved.buckets)
    sandbox.strict.trusts.closed.update(saved.closed)


def once(make: Callable[Concatenate[Sandbox, P], T]) -> Callable[Concatenate[Sandbox, P], T]:
    """Return what makes things in a sandbox at its first call, and puts back at every further one what stood then.

    It returns what the first call did. What it makes must depend neither on what stood before nor on the test.
    """
    made: dict[Sandbox, tuple[T, Saved]] = {}

    def put(sandbox: Sandbox, *arguments: P.args, **named: P.kwargs) -> T:
        if sandbox not in made:
            made[sandbox] = make(sandbox, *arguments, **named), save(sandbox)
        found, saved = made[sandbox]
        restore(sandbox, saved)
        return found

    return put  # type: ignore[return-value]
