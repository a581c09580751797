"""One step: look whether what it changes is still what the plan says it is, then write.

IAM has no compare-and-set (facts sheet 3.1): between the look and the write a window of one call remains.
"""

from __future__ import annotations

from collections.abc import Callable

from reconciler.applier.partly import bare, between
from reconciler.applier.schedule import Result
from reconciler.errors import AwsError, StaleError, XgrantError
from reconciler.model import Action, Address, Change, ManagedPolicy, Plan, Resource, Role, Status, Step, Verb
from reconciler.ports import Writer
from reconciler.principals import arns_by_id, in_arns


class Executor:
    """Executes the steps of a plan, each in whatever thread."""

    def __init__(self, plan: Plan, writer: Writer) -> None:
        self._writer = writer
        self._arns = arns_by_id(plan.live.facts)

    def execute(self, step: Step) -> Result:
        """Return what became of the step."""
        do = self._remove if step.verb is Verb.REMOVE else self._write
        with self._writer.step() as calls:
            try:
                begun = False
                while not self._settled(do, step.change, begun=begun):
                    begun = True
            except XgrantError as error:
                return Result(Status.FAILED, str(error), tuple(calls))
            return Result(Status.DONE, calls=tuple(calls))

    def _settled(self, do: Callable[..., None], change: Change, *, begun: bool) -> bool:
        """Look and write; False where somebody else was writing the same thing, so that it is to be done again."""
        try:
            do(change, begun=begun)
        except AwsError:
            if not self._writer.look_again():
                raise
            return False
        return True

    def _remove(self, change: Change, *, begun: bool) -> None:
        assert change.before is not None  # the planner makes no such step otherwise
        found = self._look(change, change.removed_address(), change.before, change.interim, begun=begun)
        if found is None or found == change.interim:
            return
        if change.interim is not None:
            self._writer.write(change.address, found, change.interim)
        else:
            self._writer.remove(change.removed_address(), found)

    def _write(self, change: Change, *, begun: bool) -> None:
        assert change.after is not None  # the planner makes no such step otherwise
        expected = (change.interim or change.before) if change.action in (Action.UPDATE, Action.ADOPT) else None
        if expected is None and isinstance(change.after, Role | ManagedPolicy) and not begun:
            # CreateRole and CreatePolicy refuse to take another's place; nothing else does.
            self._writer.write(change.address, None, change.after)
            return
        found = self._look(change, change.address, expected, change.after, begun=begun)
        if found != change.after:
            # In the place of what was replaced, a moment ago, something new is made.
            new = expected is None and found == change.before
            self._writer.write(change.address, None if new else found, change.after)

    def _look(
        self, change: Change, address: Address, expected: Resource | None, wanted: Resource | None, *, begun: bool
    ) -> Resource | None:
        """Return what stands at the address: what the plan expects there, or what it wants there.

        Once the step has begun, it may also be something between the two.

        Raises:
            StaleError: it is something else; it is left alone.

        """
        like = expected or wanted
        assert like is not None  # a change has one of the two
        found = self._writer.standing(address, like)
        if found is not None:
            found = in_arns(found, self._arns)
        # The second of two steps may for a moment still see what the first one has changed.
        earlier = change.before if change.interim or change.action is Action.REPLACE else expected
        if found in (expected, wanted, earlier):
            return found
        if begun and found is not None and between(found, expected or bare(like), wanted or bare(like)):
            return found
        raise StaleError(
            f"{address} has changed since the plan was made: {_how(expected, found)}; it is left alone, plan again"
        )


def _how(expected: Resource | None, found: Resource | None) -> str:
    if found is None:
        return "it is gone"
    if expected is None:
        return "it is there already"
    old, new = expected.attributes(), found.attributes()
    return "other " + ", ".join(sorted(name for name in {*old, *new} if old.get(name) != new.get(name)))
