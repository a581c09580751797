"""A policy document as a value: two documents are `==` when they mean the same.

The rules are those of the facts sheet 4.5, which follow AWS's user guide ("IAM JSON policy elements") and
what AWS is seen to do with a document between a write and a read.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from reconciler.errors import PolicyError

# The default of a document without Version (user guide, "IAM JSON policy elements: Version").
DEFAULT_VERSION = "2008-10-17"
CURRENT_VERSION = "2012-10-17"

_ROOT_ARN = re.compile(r"arn:[a-z-]+:iam::(\d{12}):root")
_ELEMENTS = (
    "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PolicyDocument:
    """A policy document, canonical at construction, so that `==` is equivalence.

    `canonical` is JSON text in which everything that AWS does not tell apart is spelt one way. `written` is
    the document as its author spelt it, as compact JSON: what is sent to AWS and shown to people.
    """

    canonical: str
    written: str = field(compare=False)

    @classmethod
    def parse(cls, raw: Mapping[str, Any] | str) -> PolicyDocument:
        """Make a document from a mapping or from JSON text.

        Raises:
            PolicyError: the text is no JSON, has a key twice in one object, or is no object with statements.

        """
        data = loads_strict(raw) if isinstance(raw, str) else raw
        if not isinstance(data, Mapping) or "Statement" not in data:
            raise PolicyError("not a policy document: it needs an object with Statement")
        statements = data["Statement"]
        if isinstance(statements, Mapping):
            statements = [statements]
        if not isinstance(statements, list) or not all(isinstance(s, Mapping) for s in statements):
            raise PolicyError("not a policy document: Statement has to be an object or a list of objects")
        means: dict[str, Any] = {"Version": data.get("Version") or DEFAULT_VERSION}
        if data.get("Id"):
            means["Id"] = data["Id"]
        means["Statement"] = [
            json.loads(text) for text in sorted({_dumps(_canonical_statement(s)) for s in statements})
        ]
        return cls(_dumps(means), _dumps(data, sort=False))

    @classmethod
    def read(cls, raw: object) -> PolicyDocument:
        """Make a document from whatever AWS returned; never fails.

        What cannot be parsed becomes a document that equals only itself, so that it shows up as a difference.
        botocore decodes documents into mappings, but leaves text that it cannot decode as it was, percent-encoded
        (facts sheet 2.3).
        """
        if isinstance(raw, (str, Mapping)):
            for candidate in (raw, unquote(raw)) if isinstance(raw, str) else (raw,):
                try:
                    return cls.parse(candidate)
                except PolicyError:
                    continue
        return cls(_dumps({"Unreadable": str(raw)}), _dumps({"Unreadable": str(raw)}))

    def data(self) -> dict[str, Any]:
        """Return the document as written, as plain data."""
        data: dict[str, Any] = json.loads(self.written)
        return data

    def statements(self) -> tuple[dict[str, Any], ...]:
        """Return the statements as written, but with elements in AWS's usual order and every value a list.

        The order of a list is kept sorted, so that two spellings of one statement come out alike, save for the
        case of actions.
        """
        found = self.data().get("Statement", [])
        listed = [found] if isinstance(found, dict) else found
        return tuple(_tidy_statement(statement) for statement in listed)

    def resources(self) -> tuple[str, ...]:
        """Return the resources that all statements name, sorted, each once."""
        return _union(statement.get("Resource", []) for statement in self.statements())

    def aws_principals(self) -> tuple[str, ...]:
        """Return the `AWS` principals of all statements, sorted, each once."""
        named = (statement.get("Principal") for statement in self.statements())
        return _union(principal.get("AWS", []) for principal in named if isinstance(principal, dict))


def loads_strict(text: str) -> Any:
    """Parse JSON, refusing an object that has one key twice: json and AWS would keep only the last."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        seen: dict[str, Any] = {}
        for key, value in pairs:
            if key in seen:
                raise PolicyError(f"the key {key!r} stands twice in one object")
            seen[key] = value
        return seen

    try:
        return json.loads(text, object_pairs_hook=once)
    except (json.JSONDecodeError, RecursionError) as error:
        raise PolicyError(f"not JSON: {error}") from None


def listed(value: Any) -> list[Any]:
    """Return a list as it is and anything else as a list of one: AWS does not tell the two apart."""
    return value if isinstance(value, list) else [value]


def _canonical_statement(statement: Mapping[str, Any]) -> dict[str, Any]:
    means = _tidy_statement(statement)
    for element in ("Action", "NotAction"):
        if element in means:
            means[element] = _sorted_set(action.lower() for action in means[element])
    for element in ("Principal", "NotPrincipal"):
        if isinstance(means.get(element), dict):
            means[element] = {
                kind: _sorted_set(account_or_arn(name) for name in names) for kind, names in means[element].items()
            }
    return means


def account_or_arn(name: str) -> str:
    """Return the account id for the ARN of an account's root, and any other principal as it is.

    AWS writes an account id as its root's ARN; an id lies in one partition only, so the id says it all.
    """
    match = _ROOT_ARN.fullmatch(name)
    return match.group(1) if match else name


def _tidy_statement(statement: Mapping[str, Any]) -> dict[str, Any]:
    tidy: dict[str, Any] = {}
    known = [element for element in _ELEMENTS if element in statement]
    for element in known + sorted(set(statement) - set(known)):
        value = statement[element]
        if element in ("Action", "NotAction", "Resource", "NotResource"):
            tidy[element] = _strings(value)
        elif element in ("Principal", "NotPrincipal") and isinstance(value, Mapping):
            tidy[element] = {kind: _strings(names) for kind, names in value.items()}
        elif element == "Condition" and isinstance(value, Mapping):
            block = {
                operator: {key: _strings(values) for key, values in keys.items()} if isinstance(keys, Mapping) else keys
                for operator, keys in value.items()
            }
            if block:
                tidy[element] = block
        elif element != "Sid" or value:  # The console writes an empty Sid where there is none.
            tidy[element] = value
    return tidy


def _strings(values: Any) -> list[str]:
    return _sorted_set(_scalar(value) for value in listed(values))


def _scalar(value: Any) -> str:
    # IAM takes a number or a boolean for the string of the same spelling.
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else _dumps(value)


def _union(lists: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(_sorted_set(value for values in lists for value in values))


def _sorted_set(values: Iterable[str]) -> list[str]:
    return sorted(set(values))


def _dumps(value: Any, *, sort: bool = True) -> str:
    # ASCII only: IAM's documents are Latin-1, other text has to be escaped (facts sheet 1.1).
    return json.dumps(value, sort_keys=sort, separators=(",", ":"))
