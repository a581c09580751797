"""Policy documents as rows of text, statement by statement, so that a reviewer sees what a change opens or closes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from reconciler.policy.canonical import canonical_condition, canonical_key, canonical_value
from reconciler.policy.case import fold
from reconciler.policy.document import PolicyDocument, listed
from reconciler.render.escape import HIDDEN

Rows = Mapping[str, list[str]]
"""The values of each element: `{"Effect": ["Allow"], "Condition Bool aws:MultiFactorAuthPresent": ["true"]}`."""

_WITH_SPELLINGS = ("Action", "NotAction", "Resource", "NotResource", "Principal", "NotPrincipal")
_MASK = re.compile(r"\(hidden(?: [0-9]+)?(?: \$\{\.\.\.\})?\)")
_SECRET_KEY = "sts:externalid"  # noqa: S105 - the name of a condition key


def rows(statement: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return a tidy statement as rows; the external ids stay as they are, for comparing."""
    found: dict[str, list[str]] = {}
    for element, value in statement.items():
        if isinstance(value, Mapping):
            for inner, content in value.items():
                if isinstance(content, Mapping) and content:
                    found |= {f"{element} {inner} {key}": _texts(values) for key, values in content.items()}
                else:
                    found[f"{element} {inner}"] = _texts(content)
        else:
            found[element] = _texts(value)
    return found


def shown(label: str, value: str) -> str:
    """Return a row's value as it may be shown: an external id may not."""
    return HIDDEN if label.rsplit(" ", 1)[-1].casefold() == _SECRET_KEY else value


def document_data(document: PolicyDocument, masks: Masks | None = None) -> dict[str, Any]:
    """Return a document as tidy plain data that may be shown: every external id of a condition is hidden."""
    if (text := _unreadable(document)) is not None:
        return {"Unreadable": text}
    head = {key: masked(value, masks) for key, value in document.data().items() if key != "Statement"}
    return {**head, "Statement": [masked(statement, masks) for statement in document.statements()]}


class Masks:
    """What stands for hidden values: `(hidden)` for the first, `(hidden 2)` for the next one that differs from it.

    So a change of an external id shows as one, where both sides are masked by the same `Masks`. A value with a policy
    variable in it keeps the mark of one, by which the version of its document counts (`canonical.py`). `again` is for
    what was masked before, in a plan file: then what looks like a mask is one.
    """

    def __init__(self, *, again: bool = False) -> None:
        self._known: dict[str, str] = {}
        self._again = again

    def mask(self, operator: str, value: Any) -> Any:
        """Return what may be shown in place of a condition's value; of a list, in place of each entry."""
        if isinstance(value, list):
            # Each once, as everywhere in a document: several may have one mask.
            return sorted({self.mask(operator, item) for item in value})
        if self._again and isinstance(value, str) and _MASK.fullmatch(value):
            return value
        # What AWS does not tell apart under this operator has one mask.
        text = canonical_condition(operator, value) if isinstance(value, str) else json.dumps(value, sort_keys=True)
        number = len(self._known) + 1
        words = (HIDDEN[:-1], *([str(number)] if number > 1 else []), *(["${...}"] if "${" in text else []))
        return self._known.setdefault(text, f"{' '.join(words)})")


def masked(data: Any, masks: Masks | None = None, operator: str = "") -> Any:
    """Return plain data with every external id of a condition hidden, and told apart if there are `masks`."""
    if isinstance(data, Mapping):
        return {
            key: masked(item, masks, str(key))
            if str(key).casefold() != _SECRET_KEY
            else masks.mask(operator, item)
            if masks
            else HIDDEN
            for key, item in data.items()
        }
    return [masked(item, masks, operator) for item in data] if isinstance(data, list) else data


def _unreadable(document: PolicyDocument) -> str | None:
    """Return the text of a document that is none; nothing of it may be shown where an external id may stand in it."""
    text = document.unreadable()
    if text is None:
        return None
    plain = unquote(text).casefold()
    return HIDDEN if _SECRET_KEY.partition(":")[2] in plain or "\\u" in plain else text


def statement_rows(document: PolicyDocument) -> list[dict[str, list[str]]]:
    """Return the statements of a document as rows; one that cannot be read is one row with its text.

    Of values that AWS does not tell apart there is one, as there is of their masks.
    """
    if (text := _unreadable(document)) is not None:
        return [{"Unreadable": [text]}]
    return [
        {
            label: sorted({_canonical_text(label, value): value for value in reversed(values)}.values())
            for label, values in rows(statement).items()
        }
        for statement in document.statements()
    ]


def paired(before: PolicyDocument, after: PolicyDocument) -> list[tuple[Rows | None, Rows | None]]:
    """Pair the statements that differ: by Sid, else by the most in common with the same effect.

    Statements that mean the same on both sides are left out; one without a partner stands with None.
    """
    spelt = statement_rows(after)
    # The new ones, too: two of them may spell one thing differently.
    old, new = ([_respelt(row, spelt) for row in statement_rows(document)] for document in (before, after))
    equal = [(o, n) for o in old for n in new if o == n]
    old = [row for row in old if not any(row is o for o, _ in equal)]
    new = [row for row in new if not any(row is n for _, n in equal)]
    candidates = sorted(((_likeness(o, n), -i, -j) for i, o in enumerate(old) for j, n in enumerate(new)), reverse=True)
    partner: dict[int, int] = {}
    for likeness, i, j in candidates:
        if likeness > 0 and -i not in partner and -j not in partner.values():
            partner[-i] = -j
    pairs: list[tuple[Rows | None, Rows | None]] = [
        (row, new[partner[i]] if i in partner else None) for i, row in enumerate(old)
    ]
    return pairs + [(None, row) for j, row in enumerate(new) if j not in partner.values()]


def head_changes(before: PolicyDocument, after: PolicyDocument) -> list[tuple[str, str, str]]:
    """Return what differs beside the statements: Version, Id, and what AWS does not know, each with both values."""
    if before.unreadable() is not None or after.unreadable() is not None:
        return []
    old, new = (json.loads(document.canonical) for document in (before, after))
    unknown = sorted({*old, *new} - {"Version", "Id", "Statement"})
    return [
        (key, _head(old, key), _head(new, key))
        for key in ("Version", "Id", *unknown)
        if (key in old, old.get(key)) != (key in new, new.get(key))
    ]


def _head(data: Mapping[str, Any], key: str) -> str:
    value = masked({key: data[key]})[key] if key in data else "none"
    return value if isinstance(value, str) else json.dumps(value)


def _likeness(left: Rows, right: Rows) -> int:
    if left.get("Effect") != right.get("Effect"):
        return 0
    if left.get("Sid") and left.get("Sid") == right.get("Sid"):
        return 1_000_000
    common = sum(
        len(set(left[key]) & set(right[key])) for key in set(left) & set(right) if key not in ("Effect", "Sid")
    )
    return common * 100 + sum(key in right for key in left) if common else 0


def _respelt(row: dict[str, list[str]], others: list[dict[str, list[str]]]) -> dict[str, list[str]]:
    """Spell labels and values as the other rows do where AWS does not tell the spellings apart."""
    labels = {_canonical_label(label): label for statement in others for label in statement}
    spelling = {
        (_canonical_label(label), _canonical_text(label, value)): value
        for statement in others
        for label, values in statement.items()
        for value in values
    }
    respelt: dict[str, list[str]] = {}
    for label, values in row.items():
        folded = _canonical_label(label)
        here = labels.get(folded, label)
        found = {spelling.get((folded, _canonical_text(label, value)), value) for value in values}
        respelt[label if here in respelt else here] = sorted(found)
    return respelt


def _canonical_label(label: str) -> str:
    element, *rest = label.split(" ", 2)
    if element == "Condition" and len(rest) == 2:
        return f"{element} {fold(rest[0])} {canonical_key(rest[1])}"
    return label


def _canonical_text(label: str, value: str) -> str:
    element, *rest = label.split(" ", 2)
    if element == "Condition":
        return canonical_condition(rest[0], value) if rest else value
    return canonical_value(element, value) if element in _WITH_SPELLINGS else value


def _texts(value: Any) -> list[str]:
    # What is empty means something too: a condition without values is never met.
    return [str(item) for item in listed(value)] if value not in ([], {}) else ["(none)"]
