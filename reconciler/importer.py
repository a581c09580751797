"""Roles that were made by hand to what a manifest would say of them. Pure; whether it says it all is asked of a plan.

A role is of interest where its trust policy names another account, or lets in the jobs of GitHub or GitLab. What a
manifest has no words for is left, with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.model import Account, AccountFacts, Live, Manifest, PrincipalKind, Role, working_roles
from reconciler.ownership import INLINE_POLICY, STACK_TAG
from reconciler.policy.document import CURRENT_VERSION, PolicyDocument
from reconciler.policy.web_identity import trusts_jobs
from reconciler.trusted import Block, NotExpressibleError, Token, Trust, account_id_of, trust_of

_NOT_IN_A_NAME = re.compile(r"[^a-z0-9]+")
_EXTERNAL_ID = re.compile(r"[A-Za-z0-9_+=,.@:/-]{2,1224}")
_KEYS = {PrincipalKind.USER: "users", PrincipalKind.GROUP: "groups", PrincipalKind.ROLE: "roles"}


@dataclass(frozen=True, slots=True)
class Imported:
    """The grant of one role: its name, what the manifest says, and what is to be known of it."""

    grant: str
    role: str
    data: Mapping[str, Any]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Who:
    """What a grant says in `from` and of caller policies, and what is to be known of its callers."""

    callers: Mapping[str, Any]
    caller_policy: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """What would be written: accounts that the manifest lacks, grants, and by role's name why it is left.

    `unread` are the errors of the accounts that were needed for a role and could not be read.
    """

    accounts: Mapping[str, Mapping[str, Any]]
    imported: tuple[Imported, ...]
    left: Mapping[str, str]
    unread: tuple[str, ...] = ()


def draft(live: Live, manifest: Manifest, account: str, *, roles: Collection[str], left: Mapping[str, str]) -> Draft:
    """Return the grants of an account's cross-account roles, in order of name.

    `roles` names those that are asked for; all if empty. `left` are those that are known to be left already.
    """
    accounts: dict[str, Mapping[str, Any]] = {}
    names = {known.id: known.name for known in manifest.accounts.values()}
    taken = {name for grant in manifest.grants for name in (grant.name, *grant.moved_from)}
    found: list[Imported] = []
    reasons, unread = dict(left), set[str]()
    working = working_roles(manifest.accounts.values(), manifest.organization)
    own = {name for account_id, name in working if names.get(account_id) == account}
    for address, role in sorted(live.state.items(), key=lambda item: str(item[0])):
        if not isinstance(role, Role) or address.account != account or address.name in reasons:
            continue
        if (roles and address.name not in roles) or (not roles and not _of_interest(role, manifest, account)):
            continue
        try:
            if address.name.casefold() in own:
                raise NotExpressibleError("it is a role that xgrant itself works with")
            _check_free(role, address.name, manifest, account)
            trust = trust_of(role.trust_policy, manifest.accounts[account])
            if isinstance(trust, Token):
                who = _Who({"oidc": _oidc(trust)})
            else:
                source = names.get(trust.account_id)
                if source is None:
                    source = names[trust.account_id] = _free(f"account-{trust.account_id}", names.values())
                    accounts[source] = _unmanaged(trust)
                facts = live.facts.get(source, AccountFacts(Account(source, trust.account_id, managed=False)))
                if facts.error:
                    unread.add(facts.error)
                    raise NotExpressibleError(f"its callers are not known: account {source} could not be read")
                who = _from(role, trust, facts)
            data = _grant(address.name, role, account, who, trust.conditions, inherits_mfa=manifest.inherits_mfa)
        except NotExpressibleError as error:
            reasons[address.name] = str(error)
            continue
        grant = _grant_name(address.name, taken)
        taken.add(grant)
        found.append(Imported(grant, address.name, data, who.notes))
    used = {item.data["from"].get("account") for item in found}
    lacking = {name: accounts[name] for name in sorted(accounts) if name in used}
    return Draft(lacking, tuple(found), reasons, tuple(sorted(unread)))


def _of_interest(role: Role, manifest: Manifest, account: str) -> bool:
    if role.tags.get(STACK_TAG) == manifest.stack:
        return False
    own = manifest.accounts[account].id
    statements = role.trust_policy.statements()
    if not statements or not all(isinstance(statement.get("Principal"), dict) for statement in statements):
        return True  # Unreadable, or trusting everybody: that is to be said.
    return trusts_jobs(role.trust_policy) or any(
        account_id_of(name) != own for name in role.trust_policy.aws_principals()
    )


def _check_free(role: Role, name: str, manifest: Manifest, account: str) -> None:
    if (owner := role.tags.get(STACK_TAG)) is not None:
        mine = "this stack" if owner == manifest.stack else f"the stack {owner or '(with an empty name)'}"
        raise NotExpressibleError(f"it belongs to {mine} already")
    for grant in manifest.grants:
        if (grant.target, grant.role_name.casefold()) == (account, name.casefold()):
            raise NotExpressibleError(f"the grant {grant.name} declares it already; write `adopt: true` there")


def _unmanaged(trust: Trust) -> dict[str, Any]:
    partition = {"partition": trust.partition} if trust.partition != "aws" else {}
    return {"id": trust.account_id, "managed": False, **partition}


def _grant_name(role: str, taken: Collection[str]) -> str:
    return _free(_NOT_IN_A_NAME.sub("-", role.lower()).strip("-") or "role", taken)


def _free(base: str, taken: Collection[str]) -> str:
    numbered = (base if number == 1 else f"{base[:59]}-{number}" for number in range(1, len(taken) + 2))
    return next(name for name in numbered if name not in taken)


def _oidc(token: Token) -> dict[str, Any]:
    audiences, subjects = list(token.identity.audiences), list(token.identity.subjects)
    return {
        "provider": token.identity.provider,
        "audience": audiences if audiences[1:] else audiences[0],
        "subject": subjects if subjects[1:] else subjects[0],
    }


def _grant(name: str, role: Role, account: str, who: _Who, narrowed: Block, *, inherits_mfa: bool) -> dict[str, Any]:
    hours, rest = divmod(role.max_session_duration, 3600)
    if rest % 60:
        raise NotExpressibleError(f"its sessions last {role.max_session_duration:,} seconds, no whole minutes")
    require, conditions = _conditions(narrowed)
    if inherits_mfa and "mfa" not in require:
        require = {"mfa": False, **require}
    inline = {policy: document.data() for policy, document in sorted(role.inline_policies.items())}
    data: dict[str, Any] = {
        "description": role.description,
        "from": who.callers,
        "to": {"account": account, "role": name, "path": role.path},
        "caller_policy": who.caller_policy,
        **({"policy": inline[INLINE_POLICY]} if set(inline) == {INLINE_POLICY} else {"inline_policies": inline}),
        "managed_policies": sorted(role.managed_policies),
        "require": require,
        "trust_conditions": conditions,
        "session": {"max_duration": f"{hours}h" + (f"{rest // 60}m" if rest else "")},
        "tags": dict(sorted(role.tags.items())),
    }
    stated = {key: value for key, value in data.items() if value}
    # Stated though it may be none: else the defaults' would hold.
    return {**stated, "permissions_boundary": role.permissions_boundary, "adopt": True}


def _from(role: Role, trust: Trust, facts: AccountFacts) -> _Who:
    callers, caller_policy, notes = _of_account(role, trust, facts)
    return _Who({"account": facts.account.name, **callers}, caller_policy, notes)


def _of_account(role: Role, trust: Trust, facts: AccountFacts) -> tuple[dict[str, Any], str, tuple[str, ...]]:
    """Return whom the grant names, what it says of caller policies, and the notes."""
    opening = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": role.arn}
    exactly = PolicyDocument.parse({"Version": CURRENT_VERSION, "Statement": opening})
    able = {key for key, policies in facts.by_hand.items() if exactly in policies.values()}
    groups = sorted(
        arn.split(":group/", 1)[1]
        for key, arn in facts.principals.items()
        if trust.whole and key in able and key[0] is PrincipalKind.GROUP
    )
    if trust.whole and not groups:
        if trust.named or trust.permission_sets:
            raise NotExpressibleError("it trusts a whole account and names principals of it too; a grant does one")
        return {"entire_account": True}, "", _notes(role, trust, facts, set(), exactly)
    named: dict[str, list[str]] = {"groups": groups} if groups else {}
    for kind, path, name in sorted(trust.named):
        named.setdefault(_KEYS[kind], []).append(f"{path[1:]}{name}")
    if trust.permission_sets:
        named["permission_sets"] = list(trust.permission_sets)
    if not facts.account.managed or set(named) == {"permission_sets"}:
        return named, "", ()
    lacking = [(kind, name) for kind, _, name in trust.named if (kind, name.casefold()) not in able]
    if lacking:
        why = f"caller_policy is none: {_why_none(lacking, facts, exactly)}"
        return named, "none", (why, *_notes(role, trust, facts, set(), exactly))
    over = {(kind, name.casefold()) for kind, _, name in trust.named}
    over |= {(PrincipalKind.GROUP, group.rsplit("/", 1)[-1].casefold()) for group in groups}
    return named, "inline", _notes(role, trust, facts, over, exactly)


def _why_none(lacking: list[tuple[PrincipalKind, str]], facts: AccountFacts, exactly: PolicyDocument) -> str:
    """Say why callers have no policy that could be taken over."""
    reasons: list[str] = []
    without: list[str] = []
    for kind, name in lacking:
        marked = facts.marked.get((kind, name.casefold()), {})
        same = sorted(policy for policy, document in marked.items() if document == exactly)
        if same:
            reasons.append(f"the policy {same[0]} of {kind} {name} is named as a stack's own caller policy is")
        else:
            without.append(f"{kind} {name}")
    if without:
        reasons.insert(0, f"no inline policy of {', '.join(without)} says just that this role may be assumed")
    return "; ".join(reasons)


def _notes(
    role: Role,
    trust: Trust,
    facts: AccountFacts,
    over: Collection[tuple[PrincipalKind, str]],
    exactly: PolicyDocument,
) -> tuple[str, ...]:
    """Say which policies of those whom the role trusts, or may trust as members of a group, are not taken over."""
    trusted = {(kind, name.casefold()) for kind, _, name in trust.named}
    found: list[str] = []
    for (kind, folded), policies in sorted(facts.by_hand.items()):
        if not trust.whole and kind is not PrincipalKind.GROUP and (kind, folded) not in trusted:
            continue
        opening = sorted(name for name, policy in policies.items() if policy.names("sts:AssumeRole", role.arn))
        if (kind, folded) in over:
            # As adoption does: those that say exactly this.
            opening = [name for name in opening if policies[name] != exactly]
        holder = facts.principals[kind, folded].rsplit("/", 1)[-1]
        for name in opening:
            how = "" if role.arn in policies[name].resources() else ", by a wildcard,"
            found.append(
                f"the policy {name} of {kind} {holder} allows sts:AssumeRole on this role{how} and stays as it is"
            )
    return tuple(found)


def _conditions(block: Mapping[str, Mapping[str, list[str]]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Divide a trust policy's conditions into what `require` has words for and the rest."""
    require: dict[str, Any] = {}
    rest: dict[str, dict[str, list[str]]] = {}
    for operator, keys in sorted(block.items()):
        for key, values in sorted(keys.items()):
            match operator, key, values:
                case "Bool", "aws:MultiFactorAuthPresent", ["true"]:
                    require["mfa"] = True
                case "StringEquals", "sts:ExternalId", [one] if _EXTERNAL_ID.fullmatch(one):
                    require["external_id"] = one
                case _:
                    rest.setdefault(operator, {})[key] = values
    return require, rest
