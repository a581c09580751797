"""In which order the changes are safe: a graph of what each half of a change requires.

The way in: a role, then the caller policies that open it. The way out: caller policies, then the role. So nobody
ever holds a door to a room that is not there (facts sheet 3.3).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

from reconciler.model import Action, Address, CallerPolicy, Change, Kind, PrincipalKind, Resource, Role, Step, Verb

_Node = tuple[int, Verb]


class CyclicOrderError(Exception):
    """The changes wait for each other; `cycle` names their addresses, the first again at the end."""

    def __init__(self, cycle: tuple[str, ...]) -> None:
        self.cycle = cycle
        super().__init__(" -> ".join(cycle))


def order(changes: tuple[Change, ...]) -> tuple[Step, ...]:
    """Return the steps of all changes, each after every step that it requires.

    Raises:
        CyclicOrderError: there is no such order.

    """
    graph: dict[_Node, set[_Node]] = {}
    for index, change in enumerate(changes):
        if change.before is not None and change.action in (Action.REPLACE, Action.DELETE):
            graph[index, Verb.REMOVE] = set()
        if change.after is not None:
            graph[index, Verb.WRITE] = set()
    for node, required in _edges(changes):
        if node in graph and required in graph:
            graph[node].add(required)

    try:
        nodes = _stable_order(graph)
    except CycleError as error:
        cycle: list[_Node] = error.args[1]
        raise CyclicOrderError(tuple(str(changes[index].address) for index, _ in reversed(cycle))) from None
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
        ready = sorted(sorter.get_ready(), key=lambda node: (node[1] is Verb.WRITE, node[0]))
        nodes.extend(ready)
        sorter.done(*ready)
    return nodes


def _edges(changes: tuple[Change, ...]) -> Iterator[tuple[_Node, _Node]]:
    """Yield (node, what it requires). Nodes that a change does not have are left out by the caller."""
    roles = {index: change for index, change in enumerate(changes) if change.address.kind is Kind.ROLE}
    by_slot = {change.removed_address().slot(): index for index, change in roles.items()}
    by_slot |= {change.address.slot(): index for index, change in roles.items()}
    made = {
        change.after.arn: index
        for index, change in roles.items()
        if isinstance(change.after, Role) and change.action is not Action.UPDATE
    }
    # By what a caller policy has in common with the role that it opens: the grant, and the ARN, should one of the
    # two have been changed by hand.
    going, coming = defaultdict[str, set[int]](set), defaultdict[str, set[int]](set)
    for index, change in roles.items():
        for found, resource in ((going, change.before), (coming, change.after)):
            if isinstance(resource, Role):
                found[resource.grant].add(index)
                found[resource.arn].add(index)

    for index, change in enumerate(changes):
        if index in roles:
            yield from _role_edges(index, change, made)
        else:
            left = set[int]().union(*(going.get(key, ()) for key in _opens(change, change.before)))
            entered = set[int]().union(*(coming.get(key, ()) for key in _opens(change, change.after)))
            yield from _caller_policy_edges(index, change, changes, left, entered)
            carrier = by_slot.get(carrier_slot(change.address))
            if carrier is not None:
                yield (index, Verb.WRITE), (carrier, Verb.WRITE)
                yield (carrier, Verb.REMOVE), (index, Verb.REMOVE)


def _opens(change: Change, policy: Resource | None) -> set[str]:
    """Return by which keys the role is found that a caller policy opens: its grant, and the ARNs that it names."""
    if not isinstance(policy, CallerPolicy):
        return set()
    return {change.grant, *policy.document.resources()}


def _caller_policy_edges(
    index: int, change: Change, changes: tuple[Change, ...], left: set[int], entered: set[int]
) -> Iterator[tuple[_Node, _Node]]:
    yield (index, Verb.WRITE), (index, Verb.REMOVE)
    # An update points the policy away from a role that goes; a removal takes it away.
    leaves = Verb.WRITE if change.action is Action.UPDATE else Verb.REMOVE
    for role in entered:
        yield (index, Verb.WRITE), (role, Verb.WRITE)
    for role in left:
        yield (role, Verb.REMOVE), (index, leaves)
        if passes_on(changes[role]):
            # The callers of the old grant must not come into the permissions of the new one.
            yield (role, Verb.WRITE), (index, Verb.REMOVE)


def passes_on(change: Change) -> bool:
    """Return whether a role stays where it is and passes from one grant to another."""
    if change.action is not Action.UPDATE or change.before is None or change.after is None:
        return False
    return change.address.kind is Kind.ROLE and change.before.grant != change.after.grant


def _role_edges(index: int, change: Change, made: dict[str, int]) -> Iterator[tuple[_Node, _Node]]:
    if change.replaces is None or change.replaces.slot() == change.address.slot():
        yield (index, Verb.WRITE), (index, Verb.REMOVE)
    else:
        # Under another name the new role can stand before the old one goes.
        yield (index, Verb.REMOVE), (index, Verb.WRITE)
    if isinstance(change.after, Role):
        # AWS refuses a trust policy that names a role which does not exist (facts sheet 4.3).
        for arn in change.after.trust_policy.aws_principals():
            if (trusted := made.get(arn)) not in (None, index):
                yield (index, Verb.WRITE), (trusted, Verb.WRITE)


def carrier_slot(address: Address) -> tuple[str, ...]:
    """Return the slot of the role that carries a caller policy; nothing where that is a user or a group."""
    if address.holder is None or address.holder[0] is not PrincipalKind.ROLE:
        return ()
    return (address.account, Kind.ROLE, address.holder[1].casefold())
