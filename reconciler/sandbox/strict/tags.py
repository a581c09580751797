"""Tags: alphabet, length, number, and keys that differ only in case (facts sheet 1.2)."""

from __future__ import annotations

import unicodedata
from typing import Any

from reconciler.sandbox.strict import accounts
from reconciler.sandbox.strict.names import invalid
from reconciler.sandbox.strict.wire import RefusedError, Request

_TAGS_PER_ENTITY = 50
_TAGGING = {f"{verb}{kind}": kind for verb in ("Tag", "Untag") for kind in ("Role", "User", "Policy")}

Tags = list[tuple[str, str]]


def check_tags(request: Request) -> None:
    """Refuse tags out of their rules: alphabet, length, number, `aws:`, keys that AWS does not tell apart.

    Raises:
        RefusedError: ValidationError or InvalidInput, 400; LimitExceeded, 409.

    """
    tags = request.tags()
    if len(tags) > _TAGS_PER_ENTITY:
        raise invalid("tags", f"Member must have length less than or equal to {_TAGS_PER_ENTITY}")
    seen: set[str] = set()
    for number, (key, value) in enumerate(tags, 1):
        _check_text(f"tags.{number}.member.key", key, 1, 128)
        _check_text(f"tags.{number}.member.value", value, 0, 256)
        _check_reserved(key)
        if (same := _same(request, key)) in seen:
            note = "" if same == key else " Please note that Tag keys are case insensitive."
            raise RefusedError("InvalidInput", f"Duplicate tag keys found.{note}")
        seen.add(same)
    for key in request.members("TagKeys"):
        _check_reserved(key)
    if len({_same(request, key) for key, _ in held(request)} | seen) > _TAGS_PER_ENTITY:
        raise RefusedError("LimitExceeded", f"The number of tags has reached the maximum limit: {_TAGS_PER_ENTITY}")


def held(request: Request) -> Tags:
    """Return the tags of the entity that a call tags or untags; none of another call."""
    entity = _entity(request)
    return [] if entity is None else of_entity(entity)


def of_entity(entity: Any) -> Tags:
    """Return the tags of what moto holds; a group has none."""
    tags = getattr(entity, "tags", None) or []
    return [(tag["Key"], tag["Value"]) for tag in (tags.values() if isinstance(tags, dict) else tags)]


def settle(request: Request, before: Tags) -> None:
    """Give the entity that was tagged or untagged the tags that AWS gives it; moto tells keys of other case apart.

    A key keeps the case that it was first written in.
    """
    entity = _entity(request)
    if entity is None:
        return
    tags = {_same(request, key): (key, value) for key, value in before}
    for key, value in request.tags():
        spelt, _ = tags.get(_same(request, key), (key, ""))
        tags[_same(request, key)] = (spelt, value)
    for key in request.members("TagKeys"):
        tags.pop(_same(request, key), None)
    kind = _TAGGING[request.operation]
    if kind == "User":
        accounts.backend(request.account).tagger.tags[entity.arn] = dict(tags.values())
    else:
        as_moto = [{"Key": key, "Value": value} for key, value in tags.values()]
        entity.tags = as_moto if kind == "Role" else {tag["Key"]: tag for tag in as_moto}


def _entity(request: Request) -> Any | None:
    kind = _TAGGING.get(request.operation)
    if kind is None:
        return None
    if kind == "Policy":
        return accounts.backend(request.account).managed_policies.get(request.get("PolicyArn"))
    return accounts.holders(request.account, kind).get(request.get(f"{kind}Name") or "")


def _same(request: Request, key: str) -> str:
    """Return what AWS compares of a key: of a user's and a role's not the case."""
    return key if request.operation.endswith("Policy") else key.casefold()


def _check_reserved(key: str) -> None:
    if key.lower().startswith("aws:"):
        raise RefusedError("InvalidInput", f"The tag key {key} begins with aws:, which is reserved for AWS.")


def _check_text(where: str, text: str, least: int, most: int) -> None:
    if not least <= len(text) <= most:
        raise invalid(where, f"Member must have length between {least} and {most}")
    if not all(character in "_.:/=+-@" or unicodedata.category(character)[0] in "LZN" for character in text):
        raise invalid(where, r"Member must satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]*")
