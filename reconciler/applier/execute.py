"""One step: look whether what it changes is still what the plan says it is, then write.

IAM has no compare-and-set (facts sheet 3.1): between the look and the write a window of one call remains.
"""

from __future__ import annotations

from reconciler.applier.schedule import Result
from reconciler.errors import StaleError, XgrantError
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
        with self._writer.change() as calls:
            try:
                if step.verb is Verb.REMOVE:
                    self._remove(step.change)
                else:
                    self._write(step.change)
            except XgrantError as error:
                return Result(Status.FAILED, str(error), tuple(calls))
            return Result(Status.DONE, calls=tuple(calls))

    def _remove(self, change: Change) -> None:
        assert change.before is not None  # the planner makes no such step otherwise
        found = self._look(change, change.removed_address(), change.before, change.interim)
        if found is None or found == change.interim:
            return
        if change.interim is not None:
            self._writer.write(change.address, found, change.interim)
        else:
            self._writer.remove(change.removed_address(), found)

    def _write(self, change: Change) -> None:
        assert change.after is not None  # the planner makes no such step otherwise
        expected = (change.interim or change.before) if change.action in (Action.UPDATE, Action.ADOPT) else None
        if expected is None and isinstance(change.after, Role | ManagedPolicy):
            # CreateRole and CreatePolicy refuse to take another's place; nothing else does.
            self._writer.write(change.address, None, change.after)
            return
        found = self._look(change, change.address, expected, change.after)
        if found != change.after:
            self._writer.write(change.address, found if expected else None, change.after)

    def _look(
        self, change: Change, address: Address, expected: Resource | None, wanted: Resource | None
    ) -> Resource | None:
        """Return what stands at the address: what the plan expects there, or what it wants there.

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
        if found not in (expected, wanted, earlier):
            raise StaleError(
                f"{address} has changed since the plan was made: {_how(expected, found)}; it is left alone, plan again"
            )
        return found


def _how(expected: Resource | None, found: Resource | None) -> str:
    if found is None:
        return "it is gone"
    if expected is None:
        return "it is there already"
    old, new = expected.attributes(), found.attributes()
    return "other " + ", ".join(sorted(name for name in {*old, *new} if old.get(name) != new.get(name)))
