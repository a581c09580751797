"""What documents that are read back say of a door: of each side, and of the role beside what the manifest means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from reconciler.errors import XgrantError
from reconciler.model import (
    Account,
    AccountFacts,
    Identity,
    ManagedPolicy,
    Principal,
    PrincipalKind,
    Role,
    Side,
    State,
    Way,
    Wish,
)
from reconciler.ownership import EXPIRY_POLICY
from reconciler.policy.arn import root_arn
from reconciler.policy.case import fold
from reconciler.policy.decisions import beyond, concerned, meanings, named, principals
from reconciler.policy.document import PolicyDocument
from reconciler.policy.sessions import ASSUME, further_actions
from reconciler.use.choice import Use
from reconciler.use.conditions import demands_mfa, judged, words
from reconciler.use.request import request_for


def stand_in(principal: Principal, account: Account) -> Identity | None:
    """Return who a user or a role is to AWS when they ask; None of a principal that is several."""
    if principal.kind is PrincipalKind.USER:
        return Identity(account.id, principal.arn(account))
    return session_of(principal.name, account) if principal.kind is PrincipalKind.ROLE else None


def session_of(role: str, account: Account) -> Identity:
    """Return who a role of an account is to AWS when it asks."""
    arn = f"arn:{account.partition}:sts::{account.id}:assumed-role/{role}/xgrant-verify"
    return Identity(account.id, arn, temporary=True)


def key_of(who: Identity) -> tuple[PrincipalKind, str]:
    """Return the key under which the facts of an account have the user or the role that asks."""
    return (PrincipalKind.USER, who.user().casefold()) if who.user() else (PrincipalKind.ROLE, who.role().casefold())


def caller_side(use: Use, principal: Principal, state: State, facts: AccountFacts) -> Side:
    """Return whether inline policies of a principal, and the stack's managed ones, let it assume the role."""
    if principal.kind in (PrincipalKind.ACCOUNT, PrincipalKind.PERMISSION_SET):
        return Side(None, Way.DOCUMENTS, "whom that account lets in is for its own policies to say")
    key = (principal.kind, principal.name.casefold())
    if key not in facts.principals:
        return Side(False, Way.DOCUMENTS, f"the {principal.kind} {principal.name} is not there")
    documents = [*facts.by_hand.get(key, {}).values(), *facts.marked.get(key, {}).values()]
    documents += _packed(principal, state)
    wanted = (ASSUME, *further_actions(use.grant.conditions))
    for action in wanted:
        if any(document.may_deny(action, use.role_arn) for document in documents):
            return Side(None, Way.DOCUMENTS, f"a policy of it may deny {action}")
        if not any(document.allows(action, use.role_arn) for document in documents):
            why = f"no caller policy of it allows {action} on the role"
            return Side(False if use.grant.makes_caller_policies else None, Way.DOCUMENTS, why)
    return Side(True, Way.DOCUMENTS, "its caller policy allows it")


def trust_side(
    use: Use, principal: Principal | None, account: Account, desired: Role, live: Role | None, now: int
) -> Side:
    """Return whether the trust policy of the role that stands lets in, at a moment, who the manifest means.

    `principal` is None where a token is what lets in; `account` is that of the principal.
    """
    if live is None:
        return Side(False, Way.DOCUMENTS, "the role is not there")
    if live.trust_policy == desired.trust_policy:
        over = use.grant.out_of_force(now)
        return Side(not over, Way.DOCUMENTS, over or "its trust policy is the manifest's")
    if principal is None:
        return Side(None, Way.DOCUMENTS, "its trust policy is not the manifest's")
    who = stand_in(principal, account)
    names = {principal.arn(account), root_arn(account.partition, account.id), account.id, "*"}
    return _named(use, names, who, live, now)


def trust_of_stranger(use: Use, who: Identity, arn: str, partition: str, live: Role | None, now: int) -> Side:
    """Return whether the trust policy lets in somebody whom no grant need name.

    `arn` is that of their user or role, empty where it is not known.
    """
    if live is None:
        return Side(False, Way.DOCUMENTS, "the role is not there")
    return _named(use, {arn, who.arn, root_arn(partition, who.account), who.account, "*"}, who, live, now, arn)


def _named(use: Use, names: set[str], who: Identity | None, live: Role, now: int, arn: str = "") -> Side:
    """Judge the statements that name somebody, by what `xgrant assume` would send for them.

    `arn` is that of their user or role, empty where it is not known.
    """
    judged_by = {
        effect: [
            _conditions(use, who, one.get("Condition", {}), now, arn)
            for one in concerned(live.trust_policy, effect, ASSUME)
            if names & {*named(one.get("Principal"))}
        ]
        for effect in ("Deny", "Allow")
    }
    # One condition that is not met is enough for a statement not to count; a denial counts whatever allows.
    denials = [unknown for unmet, unknown in judged_by["Deny"] if not unmet]
    if [] in denials:
        return Side(False, Way.DOCUMENTS, "its trust policy denies it")
    allowing = [unknown for unmet, unknown in judged_by["Allow"] if not unmet]
    if not allowing:
        unmet = [one for several, _ in judged_by["Allow"] for one in several]
        why = f"trust condition not met: {'; '.join(unmet)}" if unmet else "its trust policy does not name it"
        return Side(False, Way.DOCUMENTS, why)
    unknown = [one for several in denials for one in several]
    if [] not in allowing:
        unknown += [one for several in allowing for one in several]
    if unknown:
        return Side(None, Way.DOCUMENTS, f"nobody can see from here whether {'; '.join(unknown)} is met")
    return Side(True, Way.DOCUMENTS, "its trust policy lets in")


def _conditions(
    use: Use, who: Identity | None, block: Mapping[str, Any], now: int, arn: str
) -> tuple[list[str], list[str]]:
    conditions = {operator: {key: tuple(values) for key, values in keys.items()} for operator, keys in block.items()}
    if who is None:
        return [], [f"{operator} {key}" for operator, keys in conditions.items() for key in keys]
    serial = "arn:aws:iam::000000000000:mfa/any" if demands_mfa(use.grant.conditions) and who.user() else None
    try:
        request = replace(request_for(use, who, Wish(use.label, mfa_serial=serial)), at=now)
    except XgrantError as error:  # The session of a role never carries MFA.
        return [str(error)], []
    found = judged(conditions, request, who, arn=arn)
    return [*found.unmet], [*found.unknown]


def _packed(principal: Principal, state: State) -> Iterator[PolicyDocument]:
    holder = f"{principal.kind}/{principal.name}".casefold()
    for address, found in state.items():
        if address.account != principal.account or not isinstance(found, ManagedPolicy) or found.grant:
            continue
        if holder in {one.casefold() for one in found.attached_to}:
            yield found.document


def role_documents(role: Role, state: State, *, ends: bool = True) -> tuple[PolicyDocument, ...]:
    """Return what a role is allowed by documents that are known: its inline policies, and managed ones of the stack.

    Without `ends` the policy is left out that denies everything once the grant has expired.
    """
    inline = (document for name, document in role.inline_policies.items() if ends or name != EXPIRY_POLICY)
    parts = (found for found in state.values() if isinstance(found, ManagedPolicy) and found.grant)
    return (*inline, *(one.document for one in parts if one.arn in role.managed_policies))


def compared(desired: Role, wanted: State, live: Role, standing: State) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return in words what a role that stands allows beyond the manifest, and what it lacks of it."""
    mine, theirs = role_documents(desired, wanted), role_documents(live, standing)
    parts = {found.arn for state in (wanted, standing) for found in state.values() if isinstance(found, ManagedPolicy)}
    wider = [f"it allows {one}" for one in beyond(theirs, mine)]
    wider += [
        f"it has the managed policy {arn}" for arn in sorted(live.managed_policies - desired.managed_policies - parts)
    ]
    if meanings(mine, "Deny") - meanings(theirs, "Deny"):
        wider.append("it lacks a denial that the manifest says")
    if desired.permissions_boundary not in (None, live.permissions_boundary):
        wider.append(f"it lacks the permissions boundary {desired.permissions_boundary}")
    wider += _trusts_more(desired.trust_policy, live.trust_policy)
    narrower = [f"it does not allow {one}" for one in beyond(mine, theirs)]
    lacking = desired.managed_policies - live.managed_policies - parts
    narrower += [f"it lacks the managed policy {arn}" for arn in sorted(lacking)]
    if meanings(theirs, "Deny") - meanings(mine, "Deny"):
        narrower.append("it has a denial that the manifest does not say")
    return tuple(dict.fromkeys(wider)), tuple(dict.fromkeys(narrower))


def _trusts_more(desired: PolicyDocument, live: PolicyDocument) -> Iterator[str]:
    """Yield in words each widening of a trust policy: whom it names beyond, and which conditions it lacks."""
    if live == desired:
        return
    more = sorted(principals(live, "Allow") - principals(desired, "Allow"))
    yield from (f"its trust policy names {one}" for one in more)
    lacking = _conditions_lacking(desired, live)
    yield from (f"its trust policy lacks the condition {one}" for one in lacking)
    if not more and not lacking and meanings([live], "Allow") - meanings([desired], "Allow"):
        yield "its trust policy lets in on other conditions than the manifest says"


def _conditions_lacking(desired: PolicyDocument, live: PolicyDocument) -> tuple[str, ...]:
    """Return the conditions, in words, that all statements of the manifest's policy have and one that stands has not.

    Of one with other values under the same key, those are said, too.
    """
    wanted = [_condition_words(one) for one in desired.statements() if one.get("Effect") == "Allow"]
    always = {key: text for key, text in (wanted[0] if wanted else {}).items() if all(key in one for one in wanted)}
    found: dict[str, None] = {}
    for statement in live.statements():
        standing = _condition_words(statement)
        for key, text in always.items() if statement.get("Effect") == "Allow" else ():
            meant = {one[key] for one in wanted}
            if key not in standing:
                found[text] = None
            elif standing[key] not in meant:
                found[f"{text} (it has {standing[key]})"] = None
    return tuple(found)


def _condition_words(statement: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    return {
        (fold(operator), fold(key)): words(operator, key, tuple(values))
        for operator, keys in statement.get("Condition", {}).items()
        for key, values in keys.items()
    }
