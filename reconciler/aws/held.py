"""Who of an account may assume roles by policies of whatever kind: inline, attached, of groups; with boundaries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from reconciler.aws.apart import Detail, default_document
from reconciler.model import Held, PolicyName, PrincipalKind
from reconciler.policy.decisions import allows_service, concerns
from reconciler.policy.document import PolicyDocument
from reconciler.policy.sessions import ASSUME, SET_SOURCE_IDENTITY, TAG_SESSION

_OF_SERVICES = "/aws-service-role/"
"""The path of roles that only a service of AWS can be, with permissions that AWS sets (facts sheet 3.4)."""

_KINDS = ((PrincipalKind.USER, "User"), (PrincipalKind.ROLE, "Role"))


def held(details: Mapping[str, Iterable[Detail]]) -> dict[tuple[PrincipalKind, str], Held]:
    """Return what GetAccountAuthorizationDetails says of the users and roles that have such policies."""
    managed = {policy["Arn"]: PolicyDocument.read(default_document(policy)) for policy in details["Policies"]}
    groups = {group["GroupName"]: group for group in details["GroupDetailList"]}
    found: dict[tuple[PrincipalKind, str], Held] = {}
    for kind, word in _KINDS:
        for entity in details[f"{word}DetailList"]:
            if entity["Path"].startswith(_OF_SERVICES):
                continue
            one = _held(word, entity, groups, managed)
            if one.documents or one.unread:
                found[kind, entity[f"{word}Name"].casefold()] = one
    return found


def _held(word: str, entity: Detail, groups: Mapping[str, Detail], managed: Mapping[str, PolicyDocument]) -> Held:
    member = [groups[name] for name in entity.get("GroupList", []) if name in groups]
    documents = dict(_documents(word, entity, managed))
    for group in member:
        documents |= _documents("Group", group, managed, group["GroupName"])
    attached = {policy["PolicyArn"] for one in (entity, *member) for policy in one.get("AttachedManagedPolicies", [])}
    bound = entity.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn", "")
    return Held(
        documents, frozenset(attached - managed.keys()), frozenset(group["GroupName"] for group in member), bound,
        managed.get(bound),
    )  # fmt: skip


def _documents(
    word: str, entity: Detail, managed: Mapping[str, PolicyDocument], of_group: str = ""
) -> Iterator[tuple[PolicyName, PolicyDocument]]:
    """Yield the policies of one that are about sessions, or by which it can give itself any."""
    inline: Iterable[Any] = entity.get(f"{word}PolicyList", [])
    found = [
        (PolicyName(policy["PolicyName"], group=of_group), PolicyDocument.read(policy["PolicyDocument"]))
        for policy in inline
    ]
    attached: Iterable[Any] = entity.get("AttachedManagedPolicies", [])
    found += [
        (PolicyName(each["PolicyName"], each["PolicyArn"], of_group), managed[each["PolicyArn"]])
        for each in attached
        if each["PolicyArn"] in managed
    ]
    for name, document in found:
        about_sessions = any(concerns(document, action) for action in (ASSUME, SET_SOURCE_IDENTITY, TAG_SESSION))
        if about_sessions or allows_service(document, "iam"):
            yield name, document
