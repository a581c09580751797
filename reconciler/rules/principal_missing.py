"""XG202: a grant names a user, group or role that the source account does not have.

AWS refuses a trust policy with such a principal (`MalformedPolicyDocument`, facts sheet 4.3) and a caller policy on
it (`NoSuchEntity`); both would come in the middle of an apply.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping

from reconciler.model import Action, Address, Finding, Kind, Plan, PrincipalKind, Role, Severity
from reconciler.ownership import owns

_NAMED = re.compile(r"arn:[a-z-]+:iam::(\d{12}):(user|role)/(?:.*/)?([^/]+)")


_Named = tuple[str, str, PrincipalKind, str]
"""A principal that a grant names: the grant, the account, and the principal by its kind and case-folded name."""


def principal_missing(plan: Plan) -> Iterator[Finding]:
    """Yield an error for each principal of a managed account that AWS does not have, or will not have after this plan.

    A role that the plan itself makes is not missing.
    """
    going = _going(plan)
    made = {address.slot(): resource.arn for address, resource in plan.desired.items() if isinstance(resource, Role)}
    trusted = defaultdict[str, set[str]](set)
    for role in plan.desired.values():
        if isinstance(role, Role):
            trusted[role.grant].update(role.trust_policy.aws_principals())
    said = set[_Named]()
    for address, wanted in sorted(plan.desired.items(), key=lambda item: str(item[0])):
        facts = plan.live.facts[address.account]
        if address.holder is None or not facts.account.managed:
            continue
        kind, name = address.holder
        slot = (address.account, Kind.ROLE, name.casefold()) if kind is PrincipalKind.ROLE else ()
        arn = made.get(slot) or facts.principals.get((kind, name.casefold()))
        if slot in going and slot not in made:
            what, way_out = "goes with this plan", "take it out of `from.roles`, or keep its grant"
        elif arn is None:
            what, way_out = "does not exist", f"create the {kind} first, or mend the name"
        elif kind is PrincipalKind.GROUP and (spelt := arn.rsplit("/", 1)[-1]) != name:
            what, way_out = f"exists under another spelling, as {spelt}", f"write {spelt} in the grant's `from`"
        elif kind is not PrincipalKind.GROUP and wanted.grant in trusted and arn not in trusted[wanted.grant]:
            what, way_out = _elsewhere(kind, arn)
        else:
            continue
        said.add((wanted.grant, address.account, kind, name.casefold()))
        yield _finding(address, wanted.grant, f"the {kind} {name} of account {address.account} {what}", way_out)
    yield from _trusted(plan, made, going, said)


def _going(plan: Plan) -> frozenset[tuple[str, ...]]:
    """Return the slots of what goes with this plan, or with another shard's: what the stack owns and is not to be."""
    removed = (c.removed_address() for c in plan.changes if c.action in (Action.DELETE, Action.REPLACE))
    elsewhere = (
        address
        for address, found in plan.whole.live.items()
        if isinstance(found, Role) and owns(plan.stack, found) and plan.live.facts[address.account].elsewhere
    )
    return frozenset(address.slot() for address in (*removed, *elsewhere))


def _trusted(
    plan: Plan, made: Mapping[tuple[str, ...], str], going: Collection[tuple[str, ...]], said: Collection[_Named]
) -> Iterator[Finding]:
    """Yield an error for each principal that a trust policy names in vain, unless that is `said`.

    The roles of one grant may each name one principal in another way, of which only one can be right.
    """
    # Of an account that could not be read nobody knows whom it has.
    known = (facts for facts in plan.live.facts.values() if facts.account.managed and not facts.error)
    by_id = {facts.account.id: facts for facts in known}
    for address, role in sorted(plan.desired.items(), key=lambda item: str(item[0])):
        for arn in role.trust_policy.aws_principals() if isinstance(role, Role) else ():
            match = _NAMED.fullmatch(arn)
            if match is None or (facts := by_id.get(match.group(1))) is None:
                continue
            kind, name, account = PrincipalKind(match.group(2)), match.group(3), facts.account.name
            slot = (account, Kind.ROLE, name.casefold()) if kind is PrincipalKind.ROLE else ()
            standing = made.get(slot) or facts.principals.get((kind, name.casefold()))
            gone = slot in going and slot not in made
            if (role.grant, account, kind, name.casefold()) in said or (standing == arn and not gone):
                continue
            if gone:
                what, way_out = "goes with this plan", "take it out of `from.roles`, or keep its grant"
            elif standing is None:
                what = f"does not exist as {arn}"
                way_out = f"create the {kind} first, or mend the name or path: a trust policy names it by its ARN"
            else:
                what, way_out = _elsewhere(kind, standing)
            yield _finding(address, role.grant, f"the {kind} {name} of account {account} {what}", way_out)


def _elsewhere(kind: PrincipalKind, arn: str) -> tuple[str, str]:
    resource = arn.split(f":{kind}/", 1)[1]
    return (
        f"exists under another path or spelling, as {resource}",
        f"write {resource} in the grant's `from`: a trust policy names a principal by its exact ARN",
    )


def _finding(address: Address, grant: str, message: str, way_out: str) -> Finding:
    return Finding(
        rule="XG202", severity=Severity.ERROR, message=message, way_out=way_out, address=address, grant=grant
    )
