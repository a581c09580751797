"""One step: look whether what it changes is still what the plan says it is, then write.

IAM has no compare-and-set (facts sheet 3.1): what somebody changes between the look and the last call of the step is
overwritten. Where AWS says that somebody is at work, the step looks again, and goes on only from what it left itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from reconciler.errors import AwsError, StaleError, XgrantError
from reconciler.model import (
    Action,
    Address,
    CallerPolicy,
    Change,
    ManagedPolicy,
    Resource,
    Result,
    Role,
    Status,
    Step,
    Verb,
    differing,
)
from reconciler.ownership import marks_of
from reconciler.ports import Writer
from reconciler.principals import gone, in_arns_after


class _Way:
    """How far a step has come: `reached` stands, or `coming` does if the call under way has had its effect."""

    def __init__(self, found: Resource | None) -> None:
        self.reached = self.coming = found

    def toward(self, coming: Resource | None) -> None:
        """Note what will stand when the next call is done; so the one before it is."""
        self.reached, self.coming = self.coming, coming


class Executor:
    """Executes steps, each in whatever thread.

    `arns` are those of users and roles by the unique ids that trust policies may show. A step that is executed `again`
    may have been begun by somebody who did not live to tell: it goes on from what stands. `made` is told of what such
    a one has made.
    """

    def __init__(
        self, arns: Mapping[str, str], writer: Writer, *, again: bool = False,
        made: Callable[[Address, Resource], None] = lambda _address, _found: None,
    ) -> None:  # fmt: skip
        self._writer = writer
        self._arns = arns
        self._again = again
        self._made = made

    def execute(self, step: Step) -> Result:
        """Return what became of the step."""
        with self._writer.step() as calls:
            try:
                self._execute(step.change, step.verb)
            except XgrantError as error:
                return Result(Status.FAILED, str(error), tuple(calls))
            return Result(Status.DONE, calls=tuple(calls))

    def _execute(self, change: Change, verb: Verb) -> None:
        address, wanted = _goal(change, verb)
        way: _Way | None = None
        while True:
            try:
                found = self._first_look(change, verb) if way is None else self._look_again(change, address, way)
                if found == wanted:
                    if not _trusts_gone(change, verb):
                        return
                    # For a moment AWS may still show the name of whom it no longer lets in.
                    found = change.before
                way = _Way(found)
                if wanted is None:
                    assert found is not None  # it would be as wanted
                    self._writer.remove(address, found, way.toward)
                else:
                    self._writer.write(address, found, wanted, way.toward)
            except AwsError as error:
                if not self._writer.look_again(error):
                    raise
            else:
                return

    def _first_look(self, change: Change, verb: Verb) -> Resource | None:
        """Return what stands at the address: what the plan expects there, or what it wants there.

        Raises:
            StaleError: it is something else; it is left alone.

        """
        address, wanted = _goal(change, verb)
        if verb is Verb.REMOVE:
            return self._look(change, address, change.before, wanted)
        if verb is Verb.WRITE and isinstance(change.interim, Role):
            found = self._look(change, address, change.interim, wanted)
            # What was made a moment ago may not show yet.
            return change.interim if found == change.before else found
        if change.action in (Action.UPDATE, Action.ADOPT):
            return self._look(change, address, change.interim or change.before, wanted)
        if isinstance(change.after, Role | ManagedPolicy) and not self._again:
            # CreateRole and CreatePolicy refuse to take another's place; nothing else does.
            return None
        found = self._look(change, address, None, wanted)
        # In the place of what was replaced, a moment ago, something new is made.
        if found is None or not self._on_the_way(None, found, wanted):
            return None
        if isinstance(found, CallerPolicy) and found == change.before:
            # It may be the old one, which AWS still shows; to write the same twice does no harm.
            return None
        self._made(address, found)
        return found

    def _look(
        self, change: Change, address: Address, expected: Resource | None, wanted: Resource | None
    ) -> Resource | None:
        if (taken_over := self._taken_over(change, address, expected, wanted)) is not None:
            return taken_over
        found = self._standing(change, address, expected or wanted)
        # The second of two steps may for a moment still see what the first one has changed.
        earlier = change.before if change.interim or change.action is Action.REPLACE else expected
        if found not in (expected, wanted, earlier) and not self._on_the_way(expected, found, wanted):
            raise _stale(address, expected, found)
        return found

    def _taken_over(
        self, change: Change, address: Address, expected: Resource | None, wanted: Resource | None
    ) -> Resource | None:
        """Return the stack's own policy, with those made by hand that are left, if it has taken them over already."""
        if not (self._again and isinstance(expected, CallerPolicy) and isinstance(wanted, CallerPolicy)):
            return None
        if not expected.name or wanted.name:
            return None
        found = self._standing(change, address, replace(wanted, beside=(expected.name, *expected.beside)))
        return found if isinstance(found, CallerPolicy) and found.document == wanted.document else None

    def _on_the_way(self, expected: Resource | None, found: Resource | None, wanted: Resource | None) -> bool:
        """Return whether what stands is what a step leaves that was cut short, if it may have been."""
        return found == wanted or (self._again and found is not None and between(expected, found, wanted))

    def _look_again(self, change: Change, address: Address, way: _Way) -> Resource | None:
        """Return what stands at the address in the middle of a step: what its own calls have brought about.

        Raises:
            StaleError: somebody else has changed it meanwhile; it is left alone.

        """
        found: Resource | None = None
        # What is read depends on what is looked for: `reached` names all that `coming` takes away.
        for like in (way.reached or way.coming, way.coming or way.reached):
            found = self._standing(change, address, like)
            if found in (way.reached, way.coming):
                return found
        raise _stale(address, way.reached, found)

    def _standing(self, change: Change, address: Address, like: Resource | None) -> Resource | None:
        assert like is not None  # something is there, or is to be
        if isinstance(like, CallerPolicy) and isinstance(change.after, CallerPolicy):
            # Those beside it go because of what it will say.
            like = replace(like, document=change.after.document)
        found = self._writer.standing(address, like)
        return None if found is None else in_arns_after(change.before, found, self._arns)


def _trusts_gone(change: Change, verb: Verb) -> bool:
    """Return whether a trust policy is written again because it names users or roles that are made anew."""
    return verb is Verb.WRITE and change.action is Action.UPDATE and isinstance(change.before, Role) and bool(
        gone(change.before)
    )  # fmt: skip


def between(before: Resource | None, found: Resource, after: Resource | None) -> bool:
    """Return whether all that stands is as it was or as it will be, so that nothing is overwritten that is neither.

    A new role is made with its trust policy and its tags at once, so those have to be as they will be. Whose a role is
    must be as at one of the ends: who took it from the stack is to keep it. And a deletion changes no tag.
    """
    ends = [end for end in (before, after) if end is not None]
    if any(type(end) is not type(found) for end in ends):
        return False
    if before is None and isinstance(found, Role) and isinstance(after, Role):
        as_made = {"path", "description", "max_session_duration", "trust_policy", "permissions_boundary", "tags"}
        if as_made & {*differing(found, after)}:
            return False
    if isinstance(found, Role):
        roles = [end for end in ends if isinstance(end, Role)]
        marks = [role.tags if after is None else marks_of(role.tags) for role in (found, *roles)]
        if marks[0] not in marks[1:]:
            return False
    sides = [end.attributes() for end in ends]
    return all(
        _among(name, value, [side[name] for side in sides if name in side])
        for name, value in found.attributes().items()
    )


def _among(name: str, value: object, ends: list[object]) -> bool:
    """Return whether a value is one of those of the ends; of what has several parts, whether each part is."""
    if value in ends:
        return True
    if isinstance(value, dict):
        # A part may also be gone, or not be there yet.
        return name in ("inline_policies", "tags") and all(
            any(key in end and end[key] == item for end in ends if isinstance(end, dict)) for key, item in value.items()
        )
    if isinstance(value, list):
        return all(any(item in end for end in ends if isinstance(end, list)) for item in value)
    return False


def _goal(change: Change, verb: Verb) -> tuple[Address, Resource | None]:
    """Return where a step is at work, and what stands there when it is done."""
    if verb is Verb.REMOVE:
        return change.removed_address(), None if isinstance(change.interim, Role) else change.interim
    return change.address, change.interim if verb is Verb.MAKE else change.after


def _stale(address: Address, expected: Resource | None, found: Resource | None) -> StaleError:
    return StaleError(
        f"{address} has changed since the plan was made: {_how(expected, found)}; it is left alone, plan again"
    )


def _how(expected: Resource | None, found: Resource | None) -> str:
    if found is None:
        return "it is gone"
    if expected is None:
        return "it is there already"
    old, new = expected.attributes(), found.attributes()
    return "other " + ", ".join(sorted(name for name in {*old, *new} if old.get(name) != new.get(name)))
