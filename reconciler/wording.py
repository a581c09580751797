"""Names in a sentence: there may be thousands."""

from __future__ import annotations

from collections.abc import Sequence

INSTALL = "in a checkout of xgrant, pip install '.[{}]'"
"""How an extra of xgrant is installed: what has its name on a package index is somebody else's."""

FEW = 6
"""So many accounts, or values, are named; of more the number is said."""


def few(names: Sequence[str]) -> str:
    """Return names as text: a few by themselves, of more the first ones and how many more they are."""
    if len(names) <= FEW:
        return ", ".join(names)
    return f"{', '.join(names[: FEW - 1])} and {len(names) - FEW + 1} more"
