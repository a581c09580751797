"""What xgrant owns in AWS, and where it stands. Desired, live and snapshot are one type: State."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from reconciler.model.declared import PrincipalKind
from reconciler.policy.document import PolicyDocument


class Kind(StrEnum):
    """The kinds of resource that xgrant owns."""

    ROLE = "role"
    CALLER_POLICY = "caller-policy"
    MANAGED_POLICY = "managed-policy"


@dataclass(frozen=True, slots=True)
class Address:
    """Where a resource is: account, kind, name; for a caller policy also the principal that carries it.

    A role's name is its own; a caller policy's name is its grant's. Written `storage/role/Reader` and
    `dev/group/developers/caller-policy/shared-bucket-read`.
    """

    account: str
    kind: Kind
    name: str
    holder: tuple[PrincipalKind, str] | None = None

    def __str__(self) -> str:
        if self.holder is None:
            return f"{self.account}/{self.kind}/{self.name}"
        return f"{self.account}/{self.holder[0]}/{self.holder[1]}/{self.kind}/{self.name}"

    def slot(self) -> tuple[str, ...]:
        """Return what AWS keeps unique. It ignores the case of users', groups' and roles' names (facts sheet 1.1)."""
        if self.holder is None:
            return (self.account, self.kind, self.name.casefold())
        return (self.account, self.kind, self.holder[0], self.holder[1].casefold(), self.name)


@dataclass(frozen=True, slots=True)
class Role:
    """A role of a target account with all that hangs on it.

    `inline_policies` leaves out caller policies, which are resources of their own, and `AWSRevokeOlderSessions`:
    `sessions_revoked` is what that one says, if it is there, which is never a difference. One that only has such a
    name, and says something else, is among them.
    `rotated` is the moment of its last rotation, or of its making; of a desired one it is to be marked so.
    Of a desired one `adopt` says that it may take over a role of no stack, and `moved_from` under which earlier names
    of its grant it may still be marked.
    """

    grant: str
    arn: str = field(compare=False)
    path: str
    trust_policy: PolicyDocument
    description: str = ""
    inline_policies: Mapping[str, PolicyDocument] = field(default_factory=dict)
    managed_policies: frozenset[str] = frozenset()
    permissions_boundary: str | None = None
    max_session_duration: int = 3600
    tags: Mapping[str, str] = field(default_factory=dict)
    instance_profiles: frozenset[str] = frozenset()
    sessions_revoked: PolicyDocument | None = field(default=None, compare=False)
    rotated: int | None = field(default=None, compare=False)
    adopt: bool = field(default=False, compare=False)
    moved_from: tuple[str, ...] = field(default=(), compare=False)

    def attributes(self) -> dict[str, Any]:
        """Return what is compared and shown, as plain data in a stable order; policy documents stay documents."""
        return {
            "path": self.path,
            "description": self.description,
            "max_session_duration": self.max_session_duration,
            "trust_policy": self.trust_policy,
            "permissions_boundary": self.permissions_boundary,
            "inline_policies": {name: self.inline_policies[name] for name in sorted(self.inline_policies)},
            "managed_policies": sorted(self.managed_policies),
            "instance_profiles": sorted(self.instance_profiles),
            "tags": {key: self.tags[key] for key in sorted(self.tags)},
        }


@dataclass(frozen=True, slots=True)
class CallerPolicy:
    """The inline policy on a source principal that allows `sts:AssumeRole` on the role of a grant.

    Of a desired one `managed` says that it has to be a part of a managed policy instead, and `adopt` that it may take
    over one made by hand. `name` is that one's own; empty for a policy that is named as the stack's are. `beside` are
    the names of further ones made by hand that say no more than the grant's, and go when the grant takes over.
    """

    grant: str
    document: PolicyDocument
    managed: bool = field(default=False, compare=False)
    adopt: bool = field(default=False, compare=False)
    name: str = ""
    beside: tuple[str, ...] = ()

    def attributes(self) -> dict[str, Any]:
        """Return what is compared and shown, as for a role."""
        by_hand: dict[str, Any] = {"name": self.name, "beside": list(self.beside)}
        return {"document": self.document} | {key: value for key, value in by_hand.items() if value}


@dataclass(frozen=True, slots=True)
class ManagedPolicy:
    """A customer managed policy of the stack, because what it says does not fit into inline policies.

    It is either the caller policy of one principal for several grants (`grant` is then empty), or a part of the
    permissions of one grant's role. `attached_to` names whom it is attached to, like `group/developers`; the role
    whose permissions it holds says so itself, in its `managed_policies`.
    """

    grant: str
    arn: str = field(compare=False)
    path: str
    document: PolicyDocument
    attached_to: frozenset[str] = frozenset()

    def attributes(self) -> dict[str, Any]:
        """Return what is compared and shown, as for a role."""
        document = "permissions" if self.grant else "document"
        return {"path": self.path, document: self.document, "attached_to": sorted(self.attached_to)}


Resource = Role | CallerPolicy | ManagedPolicy
State = Mapping[Address, Resource]


def differing(before: Resource, after: Resource) -> tuple[str, ...]:
    """Return the names of the attributes that differ, those of `after` first."""
    old, new = before.attributes(), after.attributes()
    return tuple(name for name in {**new, **old} if old.get(name) != new.get(name))


def as_data(resource: Resource | None) -> Any:
    """Return a resource as JSON-ready data with canonical policy documents; None stays None."""
    return None if resource is None else _plain(resource.attributes())


def _plain(value: Any) -> Any:
    if isinstance(value, PolicyDocument):
        return json.loads(value.canonical)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return value


def resource_fingerprint(resource: Resource) -> str:
    """Return the SHA-256 digest, in hexadecimal, over the canonical JSON of what a resource is."""
    return digest(as_data(resource))


def digest(data: Any) -> str:
    """Return the SHA-256 digest, in hexadecimal, over the canonical JSON of plain data."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
