"""A writer that writes no more once the locks of the run are lost."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from reconciler.errors import AwsError
from reconciler.model import Address, ApiCall, Resource
from reconciler.ports import Toward, Writer


class Guarded:
    """A `Writer` over another one; `lost` says why the locks no longer hold, nothing while they do."""

    def __init__(self, writer: Writer, lost: Callable[[], str]) -> None:
        self._writer = writer
        self._lost = lost

    def standing(self, address: Address, like: Resource) -> Resource | None:
        """Read; see `ports.Writer`."""
        return self._writer.standing(address, like)

    def step(self, forbidden: Callable[[], str] = str) -> AbstractContextManager[list[ApiCall]]:
        """Begin a step; see `ports.Writer`."""
        return self._writer.step(lambda: refusal(self._lost) or forbidden())

    def look_again(self, error: AwsError) -> bool:
        """Return whether to look again; see `ports.Writer`."""
        return self._writer.look_again(error)

    def write(self, address: Address, before: Resource | None, after: Resource, toward: Toward) -> None:
        """Write; see `ports.Writer`."""
        self._writer.write(address, before, after, toward)

    def remove(self, address: Address, before: Resource, toward: Toward) -> None:
        """Delete; see `ports.Writer`."""
        self._writer.remove(address, before, toward)


def refusal(lost: Callable[[], str]) -> str:
    """Return why nothing further may be written, where `lost` says why the locks no longer hold; else nothing."""
    why = lost()
    return f"stopped before its end: {why}, so another run may be at work; plan again" if why else ""
