"""What a rotation takes beside the replacement of its roles, and which changes are marked as one.

AWS keeps a role of a trust policy by its id, so whoever trusts a role that is made anew does not let it in until the
trust policy is written again, as it is (facts sheet 4.4). And the inline policies that open the role go before it and
come back last, as with every role that is replaced, although they say what they said.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from reconciler.model import Action, Address, CallerPolicy, Change, Live, Role, State, Timing, differing
from reconciler.ownership import owns
from reconciler.policy.document import PolicyDocument

_REASON = "it trusts a role that is rotated, which AWS keeps by its id: its trust policy is written again"


def with_rotation(changes: Iterable[Change], desired: State, live: Live, timing: Timing, *, stack: str) -> list[Change]:
    """Return the changes, with those of roles that trust a role which is rotated, and the moment on what is rotated.

    That is a role of `timing.rotate`, and one whose trust policy accepts no longer all external ids that it accepted.
    """
    found = {change.address: change for change in changes}
    made_anew = {
        change.before.arn
        for change in found.values()
        if change.action is Action.REPLACE
        and change.address.slot() in timing.rotate
        and isinstance(change.before, Role)
    }
    ids = {arn: key for facts in live.facts.values() for key, arn in facts.ids.items() if arn in made_anew}
    owned = {address: found for address, found in live.state.items() if owns(stack, found)} if made_anew else {}
    for address, after, before in _trusting(desired, owned, ids):
        change = found.get(address)
        if change is None or change.action is Action.UPDATE:
            old = replace(before, trust_policy=before.trust_policy.with_aws_principals(ids))
            reason = "; ".join(filter(None, (change.reason if change else "", _REASON)))
            found[address] = Change(
                address, Action.UPDATE, after.grant, old, after, differing(old, after), reason=reason
            )
    for address, policy in desired.items() if made_anew else ():
        standing = owned.get(address)
        if isinstance(policy, CallerPolicy) and standing is not None and made_anew & {*policy.document.resources()}:
            found.setdefault(address, Change(address, Action.UPDATE, policy.grant, standing, policy))
    return [_marked(change, timing) for change in found.values()]


def _trusting(desired: State, owned: State, ids: Mapping[str, str]) -> Iterator[tuple[Address, Role, Role]]:
    """Yield the roles that stand and trust a role of these ARNs, as they are to be and as they are."""
    for address, after in desired.items() if ids else ():
        before = owned.get(address)
        if isinstance(after, Role) and isinstance(before, Role) and ids.keys() & {*after.trust_policy.aws_principals()}:
            yield address, after, before


def _is_rotation(change: Change, timing: Timing) -> bool:
    return change.action is Action.REPLACE and change.address.slot() in timing.rotate


def _marked(change: Change, timing: Timing) -> Change:
    before, after = change.before, change.after
    if not isinstance(before, Role) or not isinstance(after, Role):
        return change
    dropped = _external_ids(before.trust_policy) - _external_ids(after.trust_policy)
    if _is_rotation(change, timing) or (dropped and _external_ids(after.trust_policy)):
        return replace(change, after=replace(after, rotated=timing.now))
    return change


def _external_ids(trust: PolicyDocument) -> frozenset[str]:
    return frozenset(
        value
        for statement in trust.statements()
        for keys in (statement.get("Condition") or {}).values()
        for key, values in keys.items()
        if key.lower() == "sts:externalid"
        for value in values
    )
