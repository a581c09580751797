"""What an account says of how its roles are used, and of who its users and roles are. Times are UTC, ISO 8601."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.model.declared import Account, PrincipalKind


@dataclass(frozen=True, slots=True)
class RoleUse:
    """A role as it stands: its unique id, when it was made, and when its credentials were last used, and where.

    `last_used` is empty where they were not within 400 days (IAM API reference, RoleLastUsed).
    """

    id: str
    created: str
    last_used: str = ""
    region: str = ""


@dataclass(frozen=True, slots=True)
class AccountUse:
    """What a read learns of an account for an audit; all is empty where it was not read, and `error` may say why.

    `arns` are those of the users and roles by their unique ids. `groups` are those of each user, all names case-folded.
    `created` is when each user, group and role was made, and `roles` what is known of each, by case-folded names.
    """

    account: Account
    arns: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)
    created: Mapping[tuple[PrincipalKind, str], str] = field(default_factory=dict)
    roles: Mapping[str, RoleUse] = field(default_factory=dict)
    read: bool = False
    error: str = ""
