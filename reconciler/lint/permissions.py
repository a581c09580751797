"""Guardrails of what a grant allows: too many actions, or on too many resources."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconciler.lint.reach import denied_outright, is_any_action, is_everything, left_open, on_any, whole_service
from reconciler.lint.rule import Breach, Rule, Seen
from reconciler.lint.statements import Statement, allowing, matches, statements
from reconciler.model import Grant, Level, Spot
from reconciler.policy.demands import narrowed, on

_ADMINISTRATOR, _OF_IAM = _KNOWN = (":iam::aws:policy/AdministratorAccess", ":iam::aws:policy/IAMFullAccess")
"""AWS's own policies that have allowed the same ever since (AWS managed policy reference)."""

_WHOLE = {
    "iam": "who may do what",
    "organizations": "every account of the organization",
    "sts": "any role that trusts this account",
    "kms": "every key, and what it encrypts",
}
_ON_EVERYTHING = ("sts", "kms")
"""Of these it is common to name the keys or roles, and then it is no way to all the rest."""


def _all_actions(grant: Grant, _: Seen) -> Iterator[Breach]:
    for statement in allowing(grant):
        for action in filter(is_any_action, statement.values("Action")):
            everything = statement.values("NotResource") or any(map(is_everything, statement.values("Resource")))
            on = "" if everything else " on what it names"
            yield Breach(f"every action of AWS is allowed{on}", statement.spot("Action", action))
    for arn in sorted(grant.managed_policies):
        if arn.endswith(_ADMINISTRATOR):
            yield Breach("AdministratorAccess allows every action of AWS", Spot(("managed_policies", arn)))


def _not_action(grant: Grant, _: Seen) -> Iterator[Breach]:
    for statement in allowing(grant):
        if names := statement.values("NotAction"):
            message = f"all but {len(names)} action{'s' * (len(names) != 1)} of AWS is allowed, whatever comes new too"
            yield Breach(message, statement.spot("NotAction"))


def _service_wildcards(grant: Grant, _: Seen) -> Iterator[Breach]:
    denied = denied_outright(statements(grant))
    for statement in allowing(grant):
        for action in statement.values("Action"):
            service = whole_service(action)
            if service is not None and (service not in _ON_EVERYTHING or _on_any_of(statement, service)):
                yield Breach(f"{action} is allowed, and with it {_WHOLE[service]}", statement.spot("Action", action))
        left = [service for service in left_open(statement, denied) if _on_any_of(statement, service)]
        if left:
            message = f"{', '.join(left)} is not among what NotAction leaves out, and so allowed: {_WHOLE[left[0]]}"
            yield Breach(message, statement.spot("NotAction"))
    for arn in sorted(grant.managed_policies):
        if arn.endswith(_OF_IAM):
            yield Breach("IAMFullAccess allows iam:*, and with it who may do what", Spot(("managed_policies", arn)))


_KIND = {
    "sts": ("iam", "role/"),
    "kms": ("kms", "key/"),
    "iam": ("iam", "role/"),
    "organizations": ("organizations", ""),
}
"""By service, on what its actions work: the service and the kind in an ARN."""


def _on_any_of(statement: Statement, service: str) -> bool:
    of, kind = _KIND[service]
    return on_any(statement, kind, service=of) is not None


def _pass_role(grant: Grant, _: Seen) -> Iterator[Breach]:
    for statement in allowing(grant):
        if narrowed(statement.conditions(), on("iam:passedtoservice")):
            continue
        named = [one for one in statement.values("Action") if matches(one, "iam:PassRole") and not is_any_action(one)]
        wide = on_any(statement, "role/", service="iam")
        if named and wide:
            element = "NotResource" if statement.values("NotResource") else "Resource"
            reach = f"all but {wide}" if element == "NotResource" else wide
            message = f"{named[0]} on {reach} hands any role of the account to any service"
            yield Breach(message, statement.spot(element, wide))


_BROAD = re.compile("FullAccess|Admin|PowerUser|ReadWrite|job-function/")


def _not_judged(grant: Grant, seen: Seen) -> Iterator[Breach]:
    """Yield each managed policy whose document is not known, of AWS's own those whose names say that they allow much.

    AWS names them so: full access, power user, and by job functions (user guide, "Managed policies and inline
    policies", "AWS managed policies for job functions").
    """
    for arn in sorted(grant.managed_policies - seen.documents.keys()):
        if ":iam::aws:" not in arn:
            why = "only a plan reads it"
        elif _BROAD.search(arn.partition(":policy/")[2]) and not arn.endswith(_KNOWN):
            why = "it is AWS's, and AWS changes it"
        else:
            continue
        yield Breach(f"what {arn} allows is not judged here: {why}", Spot(("managed_policies", arn)))


def _not_resource(grant: Grant, _: Seen) -> Iterator[Breach]:
    for statement in allowing(grant):
        if statement.values("NotResource"):
            message = f"{_actions(statement)} is allowed on all but what is named, whatever comes new too"
            yield Breach(message, statement.spot("NotResource"))


def _actions(statement: Statement) -> str:
    found = statement.values("Action") or ["all but some actions"]
    return found[0] if len(found) == 1 else f"{found[0]} and more"


RULES = (
    Rule(
        "XG104", Level.DENY, "every action is allowed",
        "Whoever may use the role may do everything in the account, give others access and remove its traces included.",
        "name the actions that are needed; for an emergency role write an exception with an end",
        "IAM user guide, Security best practices: apply least-privilege permissions; Access Analyzer policy checks",
        "No grant needs it but an emergency role, and that deserves the exception.",
        of_grant=_all_actions, of_permissions=True,
    ),
    Rule(
        "XG105", Level.WARN, "an Allow with NotAction",
        "It allows all that it does not name: of every service, also of those that AWS will bring out.",
        "name what is allowed in `actions`, and what is not in a statement with `effect: Deny`",
        "IAM user guide, IAM JSON policy elements: NotAction",
        "Some guard it by a boundary, which no rule can weigh.",
        of_grant=_not_action, of_permissions=True,
    ),
    Rule(
        "XG106", Level.DENY, "all of a service that gives access",
        "iam:*, organizations:*, and sts:* or kms:* on everything, let the callers give themselves all the rest; so "
        "does an Allow on everything whose NotAction leaves them open.",
        "name the actions that are needed; for kms and sts naming the keys or roles will do",
        "IAM user guide, Access Analyzer policy checks; Security best practices: least privilege",
        "It is XG104 in two steps.",
        of_grant=_service_wildcards, of_permissions=True,
    ),
    Rule(
        "XG107", Level.DENY, "iam:PassRole on any role",
        "Whoever may pass every role can start a machine or a function with the strongest one, and use it there.",
        "name the roles in `resources`, or demand a service: conditions: {StringEquals: {iam:PassedToService: ...}}",
        "IAM user guide, Access Analyzer policy checks: PassRole with star in resource",
        "Access Analyzer calls it a security warning, and there is always a role to name.",
        of_grant=_pass_role, of_permissions=True,
    ),
    Rule(
        "XG109", Level.WARN, "an Allow with NotResource",
        "It allows the actions on all that it does not name: of every kind, also on what will be made later.",
        "name what is allowed in `resources`, and what is not in a statement with `effect: Deny`",
        "IAM user guide, IAM JSON policy elements: NotResource",
        "Some guard it by a boundary, which no rule can weigh.",
        of_grant=_not_resource, of_permissions=True,
    ),
    Rule(
        "XG124", Level.ADVICE, "a managed policy that is not judged",
        "The other rules read what the manifest says, and a managed policy says it elsewhere; AWS widens its own.",
        "state the permissions in the manifest; a plan reads and judges the policies of the account, not AWS's own",
        "IAM user guide, Managed policies and inline policies; AWS managed policy reference",
        "What it allows may well be right.",
        of_grant=_not_judged,
    ),
)  # fmt: skip
"""The guardrails of this file."""
