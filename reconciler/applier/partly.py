"""Whether what stands is a resource on the way from one value to another, with nothing in it that somebody else put."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from reconciler.model import ManagedPolicy, Resource, Role


def bare(resource: Resource) -> Resource:
    """Return the resource as it is just made, or just before it goes: with nothing hung on it."""
    match resource:
        case Role():
            return replace(resource, inline_policies={}, managed_policies=frozenset(), instance_profiles=frozenset())
        case ManagedPolicy():
            return replace(resource, attached_to=frozenset())
    return resource


def between(found: Resource, before: Resource, after: Resource) -> bool:
    """Return whether each part of the resource is as before or as after, or is gone to be made anew."""
    return type(found) is type(before) is type(after) and all(
        _part(*(getattr(resource, part.name) for resource in (found, before, after)))
        for part in fields(found)
        if part.compare
    )


def _part(found: Any, before: Any, after: Any) -> bool:
    if isinstance(found, Mapping):
        return all(found[key] in (before.get(key), after.get(key)) for key in found) and all(
            key in found for key in before if before[key] == after.get(key)
        )
    if isinstance(found, frozenset):
        return bool(before & after <= found <= before | after)
    return bool(found in (before, after))
