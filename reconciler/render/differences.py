"""What differs between two values, found by deepdiff."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

MISSING: Any = object()
"""Stands for a value that is not there; None is a value."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A value that was added (`before` is MISSING), removed (`after` is MISSING) or changed.

    `path` holds the keys that lead to it; for an entry of a list, those that lead to the list. An entry of a list is
    added or removed, never changed.
    """

    path: tuple[str, ...]
    before: Any
    after: Any


def differences(before: Any, after: Any) -> tuple[Difference, ...]:
    """Return the differences of two mappings of plain values, in order of path. The order of lists does not count."""
    if before == after:
        return ()
    # It takes as long to import as all the rest of a plan, and most plans have no use for it.
    from deepdiff import DeepDiff

    found = DeepDiff(
        before,
        after,
        ignore_order=True,
        view="tree",
        cutoff_distance_for_pairs=0,
        # Else two mappings with little in common are one difference, with nothing said of what differs.
        threshold_to_diff_deeper=0,
    )
    rows: list[Difference] = []
    for kind, levels in found.items():
        for level in levels:
            steps = level.path(output_format="list")
            path = tuple(str(key) for key in steps if isinstance(key, str))
            old = MISSING if kind.endswith("_added") else level.t1
            new = MISSING if kind.endswith("_removed") else level.t2
            if len(path) == len(steps):
                rows.append(Difference(path, old, new))
            else:
                # deepdiff tells of an entry that took another's place as one change; they are two.
                rows += [Difference(path, MISSING, new)] if new is not MISSING else []
                rows += [Difference(path, old, MISSING)] if old is not MISSING else []
    return tuple(sorted(rows, key=lambda row: (row.path, row.before is MISSING, repr(row.before), repr(row.after))))
