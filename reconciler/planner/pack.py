"""Caller policies as customer managed policies: as many grants in one as fit, and none moves once it has its place.

An inline policy of a group holds some 35 grants at most; ten managed policies of 6,144 characters hold some hundreds
(facts sheet 1.3). Which grant stands in which policy is read from AWS, so that a new grant changes one policy only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from reconciler.caller_policies import opening
from reconciler.model import (
    Address,
    CallerPolicy,
    Kind,
    Live,
    ManagedPolicy,
    PrincipalKind,
    Resource,
    State,
)
from reconciler.ownership import caller_pack_name, caller_pack_path, parse_caller_pack
from reconciler.policy.arn import iam_arn
from reconciler.policy.document import PolicyDocument
from reconciler.policy.sessions import further_resources
from reconciler.policy.sizes import quota, size

_Holder = tuple[str, PrincipalKind, str]


def packed(desired: State, live: Live, *, stack: str) -> State:
    """Return the desired state with managed policies in place of the caller policies that ask for them.

    A managed policy that `desired` holds already says what of it stays, see `narrow`. Those of accounts that are not
    managed are left as they are.
    """
    state: dict[Address, Resource] = {}
    roles: dict[_Holder, set[str]] = {}
    documents: dict[_Holder, list[PolicyDocument]] = {}
    names: dict[_Holder, str] = {}
    kept: dict[_Holder, dict[int, list[str]]] = {}
    for address, resource in desired.items():
        if isinstance(resource, ManagedPolicy) and (pack := parse_caller_pack(stack, resource.path, address.name)):
            holder = (address.account, *pack[:2])
            kept.setdefault(holder, {})[pack[2]] = list(resource.document.resources())
            documents.setdefault(holder, []).append(resource.document)
            roles.setdefault(holder, set())
        elif isinstance(resource, CallerPolicy) and resource.managed and live.facts[address.account].account.managed:
            assert address.holder is not None  # every caller policy has one
            kind, name = address.holder
            holder = (address.account, kind, name.casefold())
            names[holder] = name
            roles.setdefault(holder, set()).update(resource.document.resources())
            documents.setdefault(holder, []).append(resource.document)
        else:
            state[address] = resource
    standing = _standing(live, stack)
    for holder in sorted(roles):
        # What stays of another grant has its place before any that is new.
        places = {**standing.get(holder, {})}
        wanted = roles[holder] | {arn for arns in kept.get(holder, {}).values() for arn in arns}
        further = further_resources(*documents[holder])
        shelf = _Shelf(quota(live.facts[holder[0]].summary, "PolicySizeQuota"), further)
        for number in sorted(places):
            shelf.keep(number, [arn for arn in places[number] if arn in wanted])
        for arn in sorted(wanted - shelf.placed):
            shelf.add(arn)
        for number, arns in sorted(shelf.policies.items()):
            if arns:
                address, policy = _policy(holder, names.get(holder, ""), number, opening(arns, further), live, stack)
                state[address] = policy
    return state


@dataclass(slots=True)
class _Shelf:
    """The policies of one principal by number, each with the roles that it opens, while they are filled.

    `further` is what they allow on some of the roles; see `caller_policies.opening`.
    """

    limit: int
    further: Mapping[str, Collection[str]]
    policies: dict[int, list[str]] = field(default_factory=dict)
    placed: set[str] = field(default_factory=set)

    def keep(self, number: int, arns: Iterable[str]) -> None:
        """Leave the roles where they are, as far as they fit and stand in no policy before."""
        self.policies.setdefault(number, [])
        for arn in arns:
            if arn not in self.placed and self._fits(number, arn):
                self._place(number, arn)

    def add(self, arn: str) -> None:
        """Put a role into the first policy with room, else into a new one."""
        number = next((n for n in sorted(self.policies) if self._fits(n, arn)), None)
        if number is None:
            number = next(n for n in range(1, len(self.policies) + 2) if n not in self.policies)
        self._place(number, arn)

    def _fits(self, number: int, arn: str) -> bool:
        return size(opening([*self.policies[number], arn], self.further)) <= self.limit

    def _place(self, number: int, arn: str) -> None:
        self.policies.setdefault(number, []).append(arn)
        self.placed.add(arn)


def _standing(live: Live, stack: str) -> Mapping[_Holder, Mapping[int, tuple[str, ...]]]:
    found: dict[_Holder, dict[int, tuple[str, ...]]] = {}
    for address, resource in live.state.items():
        if isinstance(resource, ManagedPolicy) and (pack := parse_caller_pack(stack, resource.path, address.name)):
            found.setdefault((address.account, *pack[:2]), {})[pack[2]] = resource.document.resources()
    return found


def _policy(
    holder: _Holder, name: str, number: int, document: PolicyDocument, live: Live, stack: str
) -> tuple[Address, ManagedPolicy]:
    account_name, kind, folded = holder
    facts = live.facts[account_name]
    # The name as AWS spells it, so that what it says of attachments compares.
    spelt = facts.principals.get((kind, folded), name or folded).rsplit("/", 1)[-1]
    policy, path = caller_pack_name(stack, kind, folded, number), caller_pack_path(stack, kind, folded)
    return Address(account_name, Kind.MANAGED_POLICY, policy), ManagedPolicy(
        grant="",
        arn=iam_arn(facts.account.partition, facts.account.id, "policy", path, policy),
        path=path,
        document=document,
        attached_to=frozenset([f"{kind}/{spelt}"]),
    )
