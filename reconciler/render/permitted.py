"""What a change of a role's permissions allows and no longer allows, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from reconciler.model import Role
from reconciler.ownership import EXPIRY_POLICY
from reconciler.policy.arn import covers
from reconciler.policy.case import fold
from reconciler.policy.decisions import says
from reconciler.policy.document import CURRENT_VERSION, PolicyDocument
from reconciler.render.demanded import expiry
from reconciler.render.marks import GAIN, LOSS, OTHER, Said
from reconciler.render.statements import Rows, paired
from reconciler.wording import few

NOTHING = PolicyDocument.parse({"Version": CURRENT_VERSION, "Statement": []})
"""A document that allows nothing."""

_PARTS = ("Action", "Resource")


def permitted(before: Role | None, after: Role | None) -> Iterator[Said]:
    """Yield what a role's permissions allow that they did not, and the other way round: `may s3:GetObject on *`."""
    old, new = _policies(before), _policies(after)
    also = "also " if before is not None else ""
    for name in sorted({*old, *new}):
        yield from document_permitted(old.get(name, NOTHING), new.get(name, NOTHING), also=also)
    gone, come = (role.managed_policies if role is not None else frozenset() for role in (before, after))
    yield from ((GAIN, f"may {also}what {arn} allows") for arn in sorted(come - gone))
    yield from ((LOSS, f"may no longer what {arn} allows") for arn in sorted(gone - come))
    yield from _boundary(before, after)


def document_permitted(before: PolicyDocument, after: PolicyDocument, *, also: str = "also ") -> Iterator[Said]:
    """Yield what one document allows and the other does not; `also` stands before what is new."""
    for old, new in paired(before, after):
        if old is None or new is None:
            row, other = (new, before) if new is not None else (old or {}, after)
            if not _allowed_by(other, row):
                yield from _statement(row, gained=new is not None, also=also)
        else:
            yield from _changed(old, new, also)


def _allowed_by(document: PolicyDocument, row: Rows) -> bool:
    """Return whether a document allows all that a statement does, so that it opens nothing, or closes nothing."""
    if row.get("Effect") != ["Allow"] or not all(part in row for part in _PARTS) or not document.statements():
        return False
    pairs = ((action, resource) for action in row["Action"] for resource in row["Resource"])
    return all(says([document], "Allow", action, resource) for action, resource in pairs)


def _policies(role: Role | None) -> Mapping[str, PolicyDocument]:
    """Return the inline policies, without the one by which a grant expires: that is said as a time, not as a denial."""
    inline = role.inline_policies if role is not None else {}
    return {name: one for name, one in inline.items() if not (name == EXPIRY_POLICY and expiry(one))}


def _boundary(before: Role | None, after: Role | None) -> Iterator[Said]:
    old, new = (role.permissions_boundary if role is not None else None for role in (before, after))
    if after is None or old == new:
        return
    yield (OTHER, f"may at most what {new} allows") if new else (GAIN, f"may more than {old} allows")


def _statement(row: Rows, *, gained: bool, also: str) -> Iterator[Said]:
    if "Unreadable" in row:
        yield OTHER, "may what a document says that cannot be read"
        return
    what = f"{_named(row, 'Action')} on {_named(row, 'Resource')}"
    conditions = ", under conditions" if any(label.startswith("Condition") for label in row) else ""
    if row.get("Effect") == ["Allow"]:
        yield (GAIN, f"may {also}{what}{conditions}") if gained else (LOSS, f"may no longer {what}{conditions}")
    else:
        yield (
            (LOSS, f"may not {what}{conditions}")
            if gained
            else (GAIN, f"may again {what}{conditions}, as far as it is allowed")
        )


def _changed(old: Rows, new: Rows, also: str) -> Iterator[Said]:
    """Yield what differs between two statements of the same effect."""
    if all(part in row for part in _PARTS for row in (old, new)):
        yield from _grown(old, new, gained=True, also=also)
        yield from _grown(new, old, gained=False, also=also)
        rest = {*old, *new} - {*_PARTS, "Effect", "Sid"}
    else:
        rest = {*old, *new} - {"Effect", "Sid"}
    if any(old.get(label) != new.get(label) for label in rest):
        what = f"{_named(new, 'Action')} on {_named(new, 'Resource')}"
        verb = "may" if new.get("Effect") == ["Allow"] else "may not"
        yield OTHER, f"{verb} {what} otherwise than before, by conditions or exceptions"


def _grown(less: Rows, more: Rows, *, gained: bool, also: str) -> Iterator[Said]:
    """Yield what the second of two statements names beyond the first: new actions, and old ones on new resources."""
    rest = {label: values for label, values in more.items() if label not in _PARTS}
    actions = [value for value in more["Action"] if not _covered(value, less["Action"])]
    resources = [value for value in more["Resource"] if not _covered(value, less["Resource"])]
    kept = [value for value in more["Action"] if _covered(value, less["Action"])]
    if actions:
        yield from _statement({**rest, "Action": actions, "Resource": more["Resource"]}, gained=gained, also=also)
    if resources and kept:
        yield from _statement({**rest, "Action": kept, "Resource": resources}, gained=gained, also=also)


def _covered(value: str, patterns: Sequence[str]) -> bool:
    # Of resources, too: one that differs in case only is too near to be told of as new.
    return any(covers(fold(pattern), fold(value)) for pattern in patterns)


def _named(row: Rows, part: str) -> str:
    if part in row:
        return _few(row[part])
    return f"all but {_few(row[f'Not{part}'])}" if f"Not{part}" in row else "nothing"


def _few(values: Sequence[str]) -> str:
    # Of many, those that mean the most come first.
    return few(sorted(values, key=lambda value: ("*" not in value, value)))
