"""XG202: a grant names a user, group or role that the source account does not have.

AWS refuses a trust policy with such a principal (`MalformedPolicyDocument`, facts sheet 4.3) and a caller policy on
it (`NoSuchEntity`); both would come in the middle of an apply.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from reconciler.model import Action, Address, Finding, Kind, Plan, PrincipalKind, Role, Severity

_NAMED = re.compile(r"arn:[a-z-]+:iam::(\d{12}):(user|role)/(?:.*/)?([^/]+)")


def principal_missing(plan: Plan) -> Iterator[Finding]:
    """Yield an error for each principal of a managed account that AWS does not have, or will not have after this plan.

    A role that the plan itself makes is not missing.
    """
    going = {
        change.removed_address().slot() for change in plan.changes if change.action in (Action.DELETE, Action.REPLACE)
    }
    made = {address.slot(): resource.arn for address, resource in plan.desired.items() if isinstance(resource, Role)}
    trusted = defaultdict[str, set[str]](set)
    for role in plan.desired.values():
        if isinstance(role, Role):
            trusted[role.grant].update(role.trust_policy.aws_principals())
    for address, wanted in sorted(plan.desired.items(), key=lambda item: str(item[0])):
        facts = plan.live.facts[address.account]
        if address.holder is None or not facts.account.managed:
            continue
        kind, name = address.holder
        slot = (address.account, Kind.ROLE, name.casefold()) if kind is PrincipalKind.ROLE else ()
        if slot in going and slot not in made:
            yield _finding(
                address, wanted.grant, "goes with this plan", "take it out of `from.roles`, or keep its grant"
            )
            continue
        arn = made.get(slot) or facts.principals.get((kind, name.casefold()))
        if arn is None:
            yield _finding(address, wanted.grant, "does not exist", f"create the {kind} first, or mend the name")
        elif kind is PrincipalKind.GROUP and (spelt := arn.rsplit("/", 1)[-1]) != name:
            yield _finding(
                address,
                wanted.grant,
                f"exists under another spelling, as {spelt}",
                f"write {spelt} in the grant's `from`",
            )
        elif kind is not PrincipalKind.GROUP and wanted.grant in trusted and arn not in trusted[wanted.grant]:
            resource = arn.split(f":{kind}/", 1)[1]
            yield _finding(
                address,
                wanted.grant,
                f"exists under another path or spelling, as {resource}",
                f"write {resource} in the grant's `from`: a trust policy names a principal by its exact ARN",
            )
    yield from _trusted_only(plan, set(made.values()))


def _trusted_only(plan: Plan, made: set[str]) -> Iterator[Finding]:
    """Yield an error for each principal without a caller policy of the stack that a trust policy names in vain."""
    # Of an account that could not be read nobody knows whom it has.
    known = (facts for facts in plan.live.facts.values() if facts.account.managed and not facts.error)
    by_id = {facts.account.id: facts for facts in known}
    with_policy = {
        (resource.grant, address.account, *address.holder)
        for address, resource in plan.desired.items()
        if address.holder
    }
    for address, role in sorted(plan.desired.items(), key=lambda item: str(item[0])):
        if not isinstance(role, Role) or not plan.live.facts[address.account].account.managed:
            continue
        for arn in role.trust_policy.aws_principals():
            match = _NAMED.fullmatch(arn)
            if match is None or (facts := by_id.get(match.group(1))) is None:
                continue
            kind, name = PrincipalKind(match.group(2)), match.group(3)
            if (role.grant, facts.account.name, kind, name) in with_policy or arn in made:
                continue
            if facts.principals.get((kind, name.casefold())) != arn:
                yield Finding(
                    rule="XG202",
                    severity=Severity.ERROR,
                    message=f"the {kind} {name} of account {facts.account.name} does not exist as {arn}",
                    way_out=f"create the {kind} first, or mend the name or path: a trust policy names it by its ARN",
                    address=address,
                    grant=role.grant,
                )


def _finding(address: Address, grant: str, what: str, way_out: str) -> Finding:
    assert address.holder is not None  # asked before
    kind, name = address.holder
    return Finding(
        rule="XG202",
        severity=Severity.ERROR,
        message=f"the {kind} {name} of account {address.account} {what}",
        way_out=way_out,
        address=address,
        grant=grant,
    )
