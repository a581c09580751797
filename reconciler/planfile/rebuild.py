"""Changes and findings made from the data of a plan file, so that they are shown as plan showed them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from reconciler.errors import Place, PolicyError
from reconciler.model import (
    Action,
    Address,
    CallerPolicy,
    Change,
    Finding,
    Kind,
    ManagedPolicy,
    PrincipalKind,
    Resource,
    Role,
    Severity,
)
from reconciler.ownership import GRANT_TAG
from reconciler.policy.document import PolicyDocument


def change(raw: Mapping[str, Any]) -> Change:
    """Return the change of an entry of `resource_changes` that fits the schema.

    Raises:
        PolicyError: an address or a policy document in it is none.

    """
    what = raw["change"]
    kind, grant, place = Kind(raw["type"]), raw["grant"], address(raw["address"])
    replaces = address(what["replaces"]) if what["replaces"] is not None else None
    after = _resource(kind, place.name, grant, what["after"])
    if isinstance(after, Role):
        after = replace(after, moved_from=tuple(what.get("moved_from", ())))
    return Change(
        address=place,
        action=Action(what["action"]),
        grant=grant,
        before=_resource(kind, (replaces or place).name, grant, what["before"]),
        after=after,
        attributes=tuple(what["attributes"]),
        replaces=replaces,
        reason=what["reason"],
        withdrawn=tuple(what.get("withdrawn", ())),
    )


def finding(raw: Mapping[str, Any]) -> Finding:
    """Return the finding of an entry of `findings` that fits the schema; raises as `change`."""
    return Finding(
        rule=raw["rule"],
        severity=Severity(raw["severity"]),
        message=raw["message"],
        way_out=raw["way_out"],
        address=address(raw["address"]) if raw["address"] is not None else None,
        grant=raw["grant"],
        documents=tuple((entry["title"], _document(entry["document"])) for entry in raw["documents"]),
        acceptable=raw["acceptable"],
        accepted=raw["accepted"],
        place=Place(**raw["place"]) if "place" in raw else None,
    )


def address(text: str) -> Address:
    """Return the address that is written so: neither accounts nor names in AWS have a slash."""
    match text.split("/"):
        case [account, ("role" | "managed-policy") as kind, name]:
            return Address(account, Kind(kind), name)
        case [account, ("user" | "group" | "role" | "account") as holder, whom, "caller-policy", name]:
            return Address(account, Kind.CALLER_POLICY, name, (PrincipalKind(holder), whom))
    raise PolicyError("an address in it is none")


def _resource(kind: Kind, name: str, grant: str, raw: Mapping[str, Any] | None) -> Resource | None:
    """Return a resource with its own grant, which is not that of the change where it passes from one to another."""
    if raw is None:
        return None
    if kind is Kind.CALLER_POLICY:
        return CallerPolicy(
            name, _document(raw["document"]), name=raw.get("name", ""), beside=tuple(raw.get("beside", ()))
        )
    if kind is Kind.MANAGED_POLICY:
        # Whether it is a grant's own shows in what its document is called.
        key, owner = ("permissions", grant) if "permissions" in raw else ("document", "")
        return ManagedPolicy(owner, "", raw["path"], _document(raw[key]), frozenset(raw["attached_to"]))
    return Role(
        grant=raw["tags"].get(GRANT_TAG, ""),
        arn="",
        path=raw["path"],
        trust_policy=_document(raw["trust_policy"]),
        description=raw["description"],
        inline_policies={name: _document(policy) for name, policy in raw["inline_policies"].items()},
        managed_policies=frozenset(raw["managed_policies"]),
        permissions_boundary=raw["permissions_boundary"],
        max_session_duration=raw["max_session_duration"],
        tags=raw["tags"],
        instance_profiles=frozenset(raw["instance_profiles"]),
    )


def _document(raw: Mapping[str, Any]) -> PolicyDocument:
    if set(raw) == {"Unreadable"}:
        text = json.dumps(raw, sort_keys=True, separators=(",", ":"))
        return PolicyDocument(text, text)
    return PolicyDocument.parse(raw)
