"""Parts of a CloudTrail record, which may lack any of them or have something else in their place.

Athena has all names in lower case, and some parts as text of JSON (Athena user guide, "Query AWS CloudTrail logs").
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

LONGEST = 512
"""Characters of a text that are kept; nothing that names anybody is longer."""


def mapping(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return a part that has parts; an empty one where there is none."""
    found = _part(data, key)
    if isinstance(found, str) and found.startswith("{"):
        try:
            found = json.loads(found)
        except (ValueError, RecursionError):
            return {}
    return found if isinstance(found, Mapping) else {}


def text(data: Mapping[str, Any], key: str) -> str:
    """Return a text; empty where there is none."""
    found = _part(data, key)
    return found[:LONGEST] if isinstance(found, str) else ""


def truth(data: Mapping[str, Any], key: str) -> bool | None:
    """Return what CloudTrail writes as true or "true"; None where it says neither."""
    found = str(_part(data, key)).lower()
    return {"true": True, "false": False}.get(found)


def items(data: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """Return the parts of a list that have parts."""
    found = _part(data, key)
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []


def _part(data: Mapping[str, Any], key: str) -> Any:
    return data[key] if key in data else data.get(key.lower())
