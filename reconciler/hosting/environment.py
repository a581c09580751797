"""What a job finds in its environment."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.errors import UsageError


def stated(environment: Mapping[str, str], name: str, what: str) -> str:
    """Return a variable; UsageError where it is not set, with what it is."""
    found = environment.get(name, "")
    if not found:
        raise UsageError(f"{name} is not set: {what}")
    return found
