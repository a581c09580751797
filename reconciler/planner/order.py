"""In which order the changes are safe: a graph of what each half of a change requires.

The way in: a role, then the caller policies that open it. The way out: caller policies, then the role; so too where
the role stays and changes. So nobody ever holds a door to a room that is not there (facts sheet 3.3), or to one that
was made larger for others.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter

from reconciler.model import (
    Action,
    Address,
    CallerPolicy,
    Change,
    Kind,
    ManagedPolicy,
    PrincipalKind,
    Resource,
    Role,
    Step,
    Verb,
)
from reconciler.planner.circles import made_roles
from reconciler.policy.arn import covers, is_pattern

_Node = tuple[int, Verb]


def order(changes: tuple[Change, ...]) -> tuple[Step, ...]:
    """Return the steps of all changes, each after every step that it requires. Roles wait for each other in no circle.

    See `circles`.
    """
    graph: dict[_Node, set[_Node]] = {}
    for index, change in enumerate(changes):
        if change.before is not None and (change.interim or change.action in (Action.REPLACE, Action.DELETE)):
            graph[index, Verb.REMOVE] = set()
        if isinstance(change.interim, Role):
            graph[index, Verb.MAKE] = set()
        if change.after is not None:
            graph[index, Verb.WRITE] = set()
    for node, required in _edges(changes):
        if node in graph and required in graph:
            graph[node].add(required)

    nodes = _stable_order(graph)
    position = {node: place for place, node in enumerate(nodes)}
    return tuple(
        Step(changes[index], verb, tuple(sorted(position[required] for required in graph[index, verb])))
        for index, verb in nodes
    )


def _stable_order(graph: dict[_Node, set[_Node]]) -> list[_Node]:
    """Sort the nodes; among those that are free at once, removals come first, then the order of the changes."""
    sorter = TopologicalSorter(graph)
    sorter.prepare()
    nodes: list[_Node] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready(), key=lambda node: (node[1] is not Verb.REMOVE, node[0]))
        nodes.extend(ready)
        sorter.done(*ready)
    return nodes


def _edges(changes: tuple[Change, ...]) -> Iterator[tuple[_Node, _Node]]:
    """Yield (node, what it requires). Nodes that a change does not have are left out by the caller."""
    roles = {index: change for index, change in enumerate(changes) if change.address.kind is Kind.ROLE}
    by_slot = {change.removed_address().slot(): index for index, change in roles.items()}
    by_slot |= {change.address.slot(): index for index, change in roles.items()}
    made = made_roles(changes)
    # By what a caller policy has in common with the role that it opens: the grant, and the ARN, should one of the
    # two have been changed by hand.
    going, coming = defaultdict[str, set[int]](set), defaultdict[str, set[int]](set)
    for index, change in roles.items():
        for found, resource in ((going, change.before), (coming, change.after)):
            if isinstance(resource, Role):
                found[resource.grant].add(index)
                found[resource.arn].add(index)

    standing = {change.before.arn for change in roles.values() if isinstance(change.before, Role)}
    attaching = _attaching(roles)
    known = _Roles(going, coming, by_slot, standing, made)
    for index, change in enumerate(changes):
        if index in roles:
            yield from _role_edges(index, changes, made)
        elif isinstance(change.after or change.before, ManagedPolicy) and change.grant:
            yield from _permissions_edges(index, change, changes, attaching)
        else:
            yield from _caller_policy_edges(index, change, changes, known)


@dataclass(frozen=True, slots=True)
class _Roles:
    """The changes of roles: by grant and by ARN, as they are and as they will be, and by slot; the ARNs as they are.

    `made` are the ARNs of those that are made.
    """

    going: Mapping[str, set[int]]
    coming: Mapping[str, set[int]]
    by_slot: Mapping[tuple[str, ...], int]
    standing: Collection[str]
    made: Collection[str]


def doors(policy: Resource | None, standing: Collection[str]) -> frozenset[tuple[str, str]]:
    """Return which roles a caller policy opens, each with whom it is attached to; that is its place if it is inline.

    `standing` are ARNs of roles: one that was changed by hand may open those that it does not name.
    """
    match policy:
        case ManagedPolicy(grant=""):
            holders = policy.attached_to
        case CallerPolicy():
            holders = frozenset([""])
        case _:
            return frozenset()
    named = policy.document.resources()
    opened = {*named, *(arn for resource in named if is_pattern(resource) for arn in standing if covers(resource, arn))}
    return frozenset((holder, arn) for holder in holders for arn in opened)


def _attaching(roles: Mapping[int, Change]) -> Mapping[str, list[int]]:
    """Return which changes of roles attach or detach a managed policy, by its ARN."""
    found = defaultdict[str, list[int]](list)
    for role, change in roles.items():
        sides = (side for side in (change.before, change.after) if isinstance(side, Role))
        for arn in frozenset[str]().union(*(side.managed_policies for side in sides)):
            found[arn].append(role)
    return found


def _permissions_edges(
    index: int, change: Change, changes: tuple[Change, ...], attaching: Mapping[str, list[int]]
) -> Iterator[tuple[_Node, _Node]]:
    """Yield what a managed policy of a role's permissions requires: it is there before the role, and goes after it."""
    policy = change.after or change.before
    assert isinstance(policy, ManagedPolicy)  # asked before
    for role in attaching.get(policy.arn, ()):
        other = changes[role]
        if isinstance(other.after, Role) and policy.arn in other.after.managed_policies:
            yield (role, _first(other)), (index, Verb.WRITE)
        if isinstance(other.before, Role) and policy.arn in other.before.managed_policies:
            yield (index, Verb.REMOVE), (role, Verb.WRITE if other.action is Action.UPDATE else Verb.REMOVE)


def _caller_policy_edges(
    index: int, change: Change, changes: tuple[Change, ...], roles: _Roles
) -> Iterator[tuple[_Node, _Node]]:
    old, new = doors(change.before, roles.standing), doors(change.after, roles.standing)
    updated = change.action is Action.UPDATE
    # What it lets go meanwhile, it opens again.
    kept = doors(change.interim, roles.standing) if change.interim is not None else old
    gained, lost = new - kept if updated else new, {arn for _, arn in old - new}
    opened = {arn for _, arn in new}
    entered = set[int]().union(*(roles.coming.get(arn, ()) for _, arn in gained))
    # A policy of one grant is found by the grant, too; one that several grants share only by what it names.
    of_grant = {change.before.grant} if isinstance(change.before, CallerPolicy) else set[str]()
    left = set[int]().union(*(roles.going.get(key, ()) for key in of_grant.union(arn for _, arn in old)))
    widened = {
        role
        for role in left
        if (before := changes[role].before) is not None
        and changes[role].action in (Action.UPDATE, Action.ADOPT)
        and isinstance(before, Role)
        and (before.arn in lost or before.arn not in opened)
    }
    carriers, carried_by = (
        {roles.by_slot[slot] for slot in carrier_slots(change.address, policy) if slot in roles.by_slot}
        for policy in (change.before, change.after)
    )
    if change.replaces is None or widened or any(_shuts(changes[role]) for role in (*left, *carriers, *carried_by)):
        yield (index, Verb.WRITE), (index, Verb.REMOVE)
    else:
        # Only the grant's name is new: its callers keep the one until they have the other.
        yield (index, Verb.REMOVE), (index, Verb.WRITE)
    # An update points the policy away from a role; a removal takes it away, as an interim does.
    leaves = Verb.WRITE if updated and change.interim is None else Verb.REMOVE
    for role in (*entered, *(carried_by if gained else ())):
        yield (index, Verb.WRITE), (role, Verb.WRITE)
    for role in (*left, *carriers):
        yield (role, Verb.REMOVE), (index, leaves)
    for role in carriers:
        gone = changes[role].removed_address().slot() in carrier_slots(change.address, change.before)
        if gone and change.action is Action.DELETE and _is_free(changes[role], roles.made):
            # Its successor is to carry another: if that cannot be made, nothing is lost.
            yield (index, Verb.REMOVE), (role, Verb.WRITE)
    for role in widened:
        # Who is a caller no more must not come into what the role is to be; nor the callers of another grant.
        yield (role, Verb.WRITE), (index, leaves)


def passes_on(change: Change) -> bool:
    """Return whether a role stays where it is and passes from one grant to another.

    A grant that only has a new name keeps its role.
    """
    before, after = change.before, change.after
    if change.action is not Action.UPDATE or not isinstance(before, Role) or not isinstance(after, Role):
        return False
    return before.grant not in (after.grant, *after.moved_from)


def _is_free(change: Change, made: Collection[str]) -> bool:
    """Return whether a role gets another name, and the new one has to wait for no other that is made."""
    after, replaced = change.after, change.replaces
    if not isinstance(after, Role) or replaced is None or replaced.slot() == change.address.slot():
        return False
    return not {*after.trust_policy.aws_principals()} & {*made}


def _shuts(change: Change) -> bool:
    """Return whether a role is not there, or is another grant's, at some moment of its change."""
    anew = change.action is Action.REPLACE and change.removed_address().slot() == change.address.slot()
    return anew or passes_on(change)


def _first(change: Change) -> Verb:
    """Return the step after which a role is there."""
    return Verb.MAKE if isinstance(change.interim, Role) else Verb.WRITE


def _role_edges(index: int, changes: tuple[Change, ...], made: Mapping[str, int]) -> Iterator[tuple[_Node, _Node]]:
    change = changes[index]
    yield (index, Verb.WRITE), (index, Verb.MAKE)
    if change.replaces is None or change.replaces.slot() == change.address.slot():
        yield (index, _first(change)), (index, Verb.REMOVE)
    else:
        # Under another name the new role can stand before the old one goes.
        yield (index, Verb.REMOVE), (index, Verb.WRITE)
    if isinstance(change.after, Role):
        # AWS refuses a trust policy that names a role which does not exist (facts sheet 4.3).
        for arn in change.after.trust_policy.aws_principals():
            if (trusted := made.get(arn)) is not None and trusted != index:
                yield (index, Verb.WRITE), (trusted, _first(changes[trusted]))


def carrier_slots(address: Address, policy: Resource | None) -> frozenset[tuple[str, ...]]:
    """Return the slots of the roles that carry a caller policy; none where users and groups do."""
    names: list[str] = []
    if isinstance(policy, CallerPolicy) and address.holder is not None and address.holder[0] is PrincipalKind.ROLE:
        names = [address.holder[1]]
    elif isinstance(policy, ManagedPolicy) and not policy.grant:
        names = [name for kind, name in (holder.split("/", 1) for holder in policy.attached_to) if kind == "role"]
    return frozenset((address.account, Kind.ROLE, name.casefold()) for name in names)
