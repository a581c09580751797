"""Who assumed a role, or tried to, as CloudTrail names them (CloudTrail user guide, userIdentity element)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from reconciler.audit.fields import mapping, text
from reconciler.policy.arn import account_of
from reconciler.policy.permission_sets import permission_set_of

_ENTITY = re.compile(r"arn:[a-z-]+:iam::\d{12}:(user|role)/(?:.*/)?([^/]+)")
_PROVIDER = re.compile(r"arn:[a-z-]+:iam::\d{12}:oidc-provider/(.+)")
_SESSION_ID = re.compile(r"(A[A-Z]{3}[A-Z0-9]{12,124}):(.*)", re.DOTALL)


class WhoKind(StrEnum):
    """What kind of caller it is. One that is HIDDEN is known by its account and its unique id only."""

    USER = "user"
    ROLE = "role"
    ROOT = "root"
    SERVICE = "service"
    WEB_IDENTITY = "web identity"
    SAML = "SAML user"
    FEDERATED = "federated user"
    HIDDEN = "hidden"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Who:
    """A caller. `id` is what tells it from all others, in each account's copy of an event alike.

    `account` is the id of its account, empty of those who have none; `name` that of the user or role without its path,
    the service, or the subject of a token; `arn` that of the user or role. A token has a provider and an audience, too.
    """

    kind: WhoKind
    id: str
    account: str = ""
    name: str = ""
    arn: str = ""
    provider: str = ""
    audience: str = ""

    def permission_set(self) -> str:
        """Return the permission set whose role this is; empty if it is none."""
        return permission_set_of(self.arn) or ""

    def resolved(self, arns: Mapping[str, str]) -> Who:
        """Return who that is by the ARNs of those who exist; the same where nobody has its id."""
        if self.kind is not WhoKind.HIDDEN or (arn := arns.get(self.id)) is None:
            return self
        entity = _ENTITY.fullmatch(arn)
        return replace(self, kind=WhoKind(entity.group(1)), name=entity.group(2), arn=arn) if entity else self


def who_of(record: Mapping[str, Any], response: Mapping[str, Any]) -> tuple[Who, str]:
    """Return who a record names, and what their own session is called, if they have one.

    The copy of a cross-account event in the target account says no more than account and unique id (CloudTrail user
    guide: type AWSAccount, principalId of a user, or of a role with its session).
    """
    identity = mapping(record, "userIdentity")
    principal = text(identity, "principalId")
    account = text(identity, "accountId")
    arn = text(identity, "arn")
    kind = text(identity, "type")
    match = _SESSION_ID.fullmatch(principal)
    bare, session = (match.group(1), match.group(2)) if match else (principal, "")
    issuer = mapping(mapping(identity, "sessionContext"), "sessionIssuer")
    match kind:
        case "IAMUser":
            name = text(identity, "userName") or arn.rpartition("/")[2]
            return Who(WhoKind.USER, bare or arn or name, account, name, arn), session
        case "AssumedRole":
            return _of_role(arn, account, text(issuer, "arn"), bare), session or arn.rpartition("/")[2]
        case "AWSAccount":
            return Who(WhoKind.HIDDEN, bare, account or account_of(arn), bare, arn), session
        case "WebIdentityUser":
            return _of_token(identity, response), ""
        case "SAMLUser":
            name, provider = text(identity, "userName"), text(identity, "identityProvider")
            return Who(WhoKind.SAML, f"{provider}:{name}", "", name, provider=provider), ""
        case "AWSService":
            service = text(identity, "invokedBy")
            return Who(WhoKind.SERVICE, service, "", service), ""
        case "Root":
            # Its id is that of its account, which the other copy has, too.
            return Who(WhoKind.ROOT, principal or account, account, "root", arn), ""
        case "FederatedUser":
            return Who(WhoKind.FEDERATED, principal or arn, account, arn.rpartition("/")[2], arn), ""
    return Who(WhoKind.OTHER, principal or arn or kind, account, text(identity, "userName") or kind, arn), session


def _of_role(session_arn: str, account: str, arn: str, unique_id: str) -> Who:
    """Return the role of a session. The session's own ARN lacks the role's path (facts sheet 1.5)."""
    entity = _ENTITY.fullmatch(arn)
    parts = session_arn.split(":")[-1].split("/")
    name = entity.group(2) if entity else parts[1] if len(parts) == 3 else ""
    return Who(WhoKind.ROLE, unique_id or arn or session_arn, account or account_of(session_arn), name, arn)


def _of_token(identity: Mapping[str, Any], response: Mapping[str, Any]) -> Who:
    """Return the subject of a token.

    The answer names it; where there was none, userName does, or the principal's id: provider, audience and subject with
    colons between (CloudTrail user guide).
    """
    stated = text(identity, "identityProvider")
    match = _PROVIDER.fullmatch(stated)
    provider = match.group(1) if match else stated
    audience, _, rest = text(identity, "principalId").removeprefix(f"{stated}:").partition(":")
    subject = text(response, "subjectFromWebIdentityToken") or text(identity, "userName") or rest
    audience = text(response, "audience") or audience
    return Who(WhoKind.WEB_IDENTITY, f"{provider}:{subject}", "", subject, provider=provider, audience=audience)
