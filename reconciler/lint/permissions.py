"""Guardrails of what a grant allows: too many actions, or on too many resources."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.lint.rule import Breach, Rule, Seen
from reconciler.lint.statements import Statement, allowing, is_everything, matches, prefix_of
from reconciler.model import Grant, Level, Spot
from reconciler.policy.case import fold

_ADMINISTRATOR = ":iam::aws:policy/AdministratorAccess"
_WHOLE = {"iam": "who may do what", "organizations": "every account of the organization"}
_WHOLE_OF_ALL = {"sts": "any role that trusts this account", "kms": "every key, and what it encrypts"}


def _all_actions(grant: Grant, _: Seen) -> Iterator[Breach]:
    for statement in allowing(grant):
        for action in statement.values("Action"):
            if set(action.replace(":", "")) == {"*"}:
                on = "" if statement.on_everything() else " on what it names"
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
    for statement in allowing(grant):
        for action in statement.values("Action"):
            service, _colon, name = action.partition(":")
            if set(name) != {"*"}:
                continue
            what = _WHOLE.get(fold(service)) or (statement.on_everything() and _WHOLE_OF_ALL.get(fold(service)))
            if what:
                yield Breach(f"{action} is allowed, and with it {what}", statement.spot("Action", action))
    for arn in sorted(grant.managed_policies):
        if arn.endswith(":iam::aws:policy/IAMFullAccess"):
            yield Breach("IAMFullAccess allows iam:*, and with it who may do what", Spot(("managed_policies", arn)))


def _pass_role(grant: Grant, _: Seen) -> Iterator[Breach]:
    for statement in allowing(grant):
        if any(fold(key) == "iam:passedtoservice" for _, key in statement.condition_keys()):
            continue
        named = [action for action in statement.values("Action") if matches(action, "iam:PassRole")]
        wide = [resource for resource in statement.values("Resource") if _is_any_role(resource)]
        if named and wide and prefix_of(named[0]) == "iam":
            message = f"{named[0]} on {wide[0]} hands any role of the account to any service"
            yield Breach(message, statement.spot("Resource", wide[0]))


def _is_any_role(resource: str) -> bool:
    return is_everything(resource) or set(resource.partition(":role/")[2]) == {"*"}


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
        of_grant=_all_actions,
    ),
    Rule(
        "XG105", Level.WARN, "an Allow with NotAction",
        "It allows all that it does not name: of every service, also of those that AWS will bring out.",
        "name what is allowed in `actions`, and what is not in a statement with `effect: Deny`",
        "IAM user guide, IAM JSON policy elements: NotAction",
        "Some guard it by a boundary, which no rule can weigh.",
        of_grant=_not_action,
    ),
    Rule(
        "XG106", Level.DENY, "all of a service that gives access",
        "iam:*, organizations:*, and sts:* or kms:* on everything, let the callers give themselves all the rest.",
        "name the actions that are needed; for kms and sts naming the keys or roles will do",
        "IAM user guide, Access Analyzer policy checks; Security best practices: least privilege",
        "It is XG104 in two steps.",
        of_grant=_service_wildcards,
    ),
    Rule(
        "XG107", Level.DENY, "iam:PassRole on any role",
        "Whoever may pass every role can start a machine or a function with the strongest one, and use it there.",
        "name the roles in `resources`, or demand a service: conditions: {StringEquals: {iam:PassedToService: ...}}",
        "IAM user guide, Access Analyzer policy checks: PassRole with star in resource",
        "Access Analyzer calls it a security warning, and there is always a role to name.",
        of_grant=_pass_role,
    ),
    Rule(
        "XG109", Level.WARN, "an Allow with NotResource",
        "It allows the actions on all that it does not name: of every kind, also on what will be made later.",
        "name what is allowed in `resources`, and what is not in a statement with `effect: Deny`",
        "IAM user guide, IAM JSON policy elements: NotResource",
        "Some guard it by a boundary, which no rule can weigh.",
        of_grant=_not_resource,
    ),
)  # fmt: skip
"""The guardrails of this file."""
