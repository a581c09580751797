"""In which order the changes are safe: a graph of what each half of a change requires.

The way in: a role, then the caller policies that open it. The way out: caller policies, then the role. So nobody
ever holds a door to a room that is not there (facts sheet 3.3).
"""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

from reconciler.model import Address, CallerPolicy, Change, Kind, PrincipalKind, Role, Step, Verb

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
        if change.before is not None and change.action.value in ("replace", "delete"):
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
    roles = [index for index, change in enumerate(changes) if change.address.kind is Kind.ROLE]
    by_grant: dict[str, list[int]] = {}
    by_slot: dict[tuple[str, ...], int] = {}
    by_arn: dict[str, int] = {}
    for index in roles:
        change = changes[index]
        for grant in {resource.grant for resource in (change.before, change.after) if resource is not None}:
            by_grant.setdefault(grant, []).append(index)
        by_slot[change.address.slot()] = index
        by_slot.setdefault(change.removed_address().slot(), index)
        if isinstance(change.after, Role):
            by_arn[change.after.arn] = index

    for index, change in enumerate(changes):
        if isinstance(change.before or change.after, CallerPolicy):
            yield from _caller_policy_edges(index, change, by_grant.get(change.grant, []), by_slot)
        else:
            yield from _role_edges(index, change, by_arn)


def _caller_policy_edges(
    index: int, change: Change, opened: list[int], by_slot: dict[tuple[str, ...], int]
) -> Iterator[tuple[_Node, _Node]]:
    yield (index, Verb.WRITE), (index, Verb.REMOVE)
    # An update points the policy away from a role that goes; a removal takes it away.
    leaves = Verb.WRITE if change.action.value == "update" else Verb.REMOVE
    for role in opened:
        yield (index, Verb.WRITE), (role, Verb.WRITE)
        yield (role, Verb.REMOVE), (index, leaves)
    carrier = by_slot.get(_carrier_slot(change.address))
    if carrier is not None:
        yield (index, Verb.WRITE), (carrier, Verb.WRITE)
        yield (carrier, Verb.REMOVE), (index, Verb.REMOVE)


def _role_edges(index: int, change: Change, by_arn: dict[str, int]) -> Iterator[tuple[_Node, _Node]]:
    if change.replaces is None or change.replaces.slot() == change.address.slot():
        yield (index, Verb.WRITE), (index, Verb.REMOVE)
    else:
        # Under another name the new role can stand before the old one goes.
        yield (index, Verb.REMOVE), (index, Verb.WRITE)
    if isinstance(change.after, Role):
        # AWS refuses a trust policy that names a role which does not exist (facts sheet 4.3).
        for arn in change.after.trust_policy.aws_principals():
            if (trusted := by_arn.get(arn)) not in (None, index):
                yield (index, Verb.WRITE), (trusted, Verb.WRITE)


def _carrier_slot(address: Address) -> tuple[str, ...]:
    if address.holder is None or address.holder[0] is not PrincipalKind.ROLE:
        return ()
    return (address.account, Kind.ROLE, address.holder[1].casefold())
