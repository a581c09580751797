"""A policy document as a value: two documents are `==` when they mean the same.

What counts as the same is in `canonical.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from typing import Any
from urllib.parse import unquote
from weakref import WeakValueDictionary

from reconciler.errors import PolicyError
from reconciler.policy.arn import covers
from reconciler.policy.canonical import (
    CURRENT_VERSION,
    DEFAULT_VERSION,
    canonical_document,
    dumps,
    listed,
    number,
    sorted_set,
    tidy_statement,
)
from reconciler.policy.case import fold
from reconciler.policy.shape import check_shape

__all__ = [
    "CURRENT_VERSION",
    "DEFAULT_VERSION",
    "PolicyDocument",
    "canonical",
    "equivalent",
    "listed",
    "loads_strict",
]


@dataclass(frozen=True, slots=True, repr=False, weakref_slot=True)
class PolicyDocument:
    """A policy document, canonical at construction, so that `==` is equivalence.

    `canonical` is JSON text in which everything that AWS does not tell apart is spelt one way. `written` is
    the document as its author spelt it, as compact JSON: what is sent to AWS and shown to people.
    """

    canonical: str
    written: str = field(compare=False)

    def __repr__(self) -> str:
        """Tell documents apart without their text: it may hold external ids, and a repr ends in logs."""
        return f"PolicyDocument({sha256(self.canonical.encode()).hexdigest()[:12]})"

    @classmethod
    def parse(cls, raw: Mapping[str, Any] | str) -> PolicyDocument:
        """Make a document from a mapping or from JSON text.

        Raises:
            PolicyError: the text is no JSON, has a key twice in one object, or is no policy by `shape.check_shape`.

        """
        data = loads_strict(raw, spelt=True) if isinstance(raw, str) else raw
        statements = check_shape(data)
        written = dumps(data, sort=False)
        if not isinstance(raw, str) and (known := _KNOWN.get(written)) is not None:
            return known
        document = cls(dumps(canonical_document(data, statements)), written)
        _KNOWN[written] = document
        return document

    @classmethod
    def read(cls, raw: object) -> PolicyDocument:
        """Make a document from whatever AWS returned; never fails.

        What cannot be parsed becomes a document that equals only itself, so that it shows up as a difference with
        its text. IAM returns documents percent-encoded (facts sheet 2.3).
        """
        if isinstance(raw, str):
            return _read_text(raw)
        if isinstance(raw, Mapping):
            with suppress(PolicyError):
                return cls.parse(raw)
        text = dumps({"Unreadable": _as_json(raw)})
        return cls(text, text)

    def unreadable(self) -> str | None:
        """Return the text of what could not be parsed; None of a policy, also of one with an element of that name."""
        data = self.data()
        return str(data["Unreadable"]) if set(data) == {"Unreadable"} else None

    def data(self) -> dict[str, Any]:
        """Return the document as written, as plain data."""
        data: dict[str, Any] = json.loads(self.written)
        return data

    def statements(self) -> tuple[dict[str, Any], ...]:
        """Return the statements as written, but with elements in AWS's usual order and every value a list.

        The order of a list is kept sorted, so that two spellings of one statement come out alike, save for the
        case of actions. They are shared by whoever asks: nobody changes them.
        """
        return _statements(self.written)

    def resources(self) -> tuple[str, ...]:
        """Return the resources that all statements name, sorted, each once."""
        return _union(statement.get("Resource", []) for statement in self.statements())

    def aws_principals(self) -> tuple[str, ...]:
        """Return the `AWS` principals of all statements, sorted, each once."""
        return _aws_principals(self.written)

    def without_sids(self) -> PolicyDocument:
        """Return the document without the Sids of its statements, which decide nothing.

        Trust policies and caller policies are read so: a manifest has no words for their Sids, and the console writes
        some (`Statement1`, `VisualEditor0`) unasked. Those of permissions policies can be stated, and are kept.
        """
        if '"Sid"' not in self.written or not any("Sid" in statement for statement in self.statements()):
            return self
        data = self.data()
        bare = [{key: item for key, item in each.items() if key != "Sid"} for each in listed(data["Statement"])]
        return PolicyDocument.parse({**data, "Statement": bare if isinstance(data["Statement"], list) else bare[0]})

    def opens(self, action: str) -> bool:
        """Return whether an Allow names the action, by wildcard too, and any resource; see `names`."""
        return any(
            statement.get("Effect") == "Allow" and "Resource" in statement and _has_action(statement, action)
            for statement in self.statements()
        )

    def names(self, action: str, resource: str) -> bool:
        """Return whether an Allow names the action and the resource, by wildcard too.

        Conditions, denials, NotAction and NotResource are not looked at: this is no decision.
        """
        return any(
            statement.get("Effect") == "Allow" and _has(statement, action, resource) for statement in self.statements()
        )

    def allows(self, action: str, resource: str) -> bool:
        """Return whether an Allow without conditions names the action and the resource, by wildcard too."""
        return any(
            statement.get("Effect") == "Allow" and "Condition" not in statement and _has(statement, action, resource)
            for statement in self.statements()
        )

    def may_deny(self, action: str, resource: str) -> bool:
        """Return whether a Deny names the action and the resource, or says what it leaves; whatever its conditions."""
        return any(
            statement.get("Effect") == "Deny"
            and ("NotAction" in statement or "NotResource" in statement or _has(statement, action, resource))
            for statement in self.statements()
        )

    def with_aws_principals(self, names: Mapping[str, str]) -> PolicyDocument:
        """Return the document with each `AWS` principal that `names` holds replaced by what it says."""
        if not any(principal in names for principal in self.aws_principals()):
            return self
        data = self.data()
        for statement in listed(data["Statement"]):
            principal = statement.get("Principal")
            if isinstance(principal, dict) and "AWS" in principal:
                named = [names.get(name, name) for name in listed(principal["AWS"])]
                principal["AWS"] = named if isinstance(principal["AWS"], list) else named[0]
        return PolicyDocument.parse(data)


@lru_cache(maxsize=4096)
def _statements(written: str) -> tuple[dict[str, Any], ...]:
    found = json.loads(written).get("Statement", [])
    return tuple(tidy_statement(statement) for statement in ([found] if isinstance(found, dict) else found))


@lru_cache(maxsize=4096)
def _aws_principals(written: str) -> tuple[str, ...]:
    # Grants of the same callers have one trust policy. By its text, since equal ones may be spelt differently.
    named = (statement.get("Principal") for statement in _statements(written))
    return _union(principal.get("AWS", []) for principal in named if isinstance(principal, dict))


# The documents that there are, by their text as written, which means the same each time that it is parsed. What AWS
# returns is mostly what it was told, so that what the manifests say is known already.
_KNOWN: WeakValueDictionary[str, PolicyDocument] = WeakValueDictionary()


@lru_cache(maxsize=4096)
def _read_text(raw: str) -> PolicyDocument:
    """Read the text that AWS returned; a bulk read asks for each document several times."""
    # JSON does not begin with a percent sign, as an object does that is percent-encoded.
    if not raw.startswith("%"):
        with suppress(PolicyError):
            return PolicyDocument.parse(raw)
    decoded = unquote(raw)
    if (known := _KNOWN.get(decoded)) is not None:
        return known
    try:
        return PolicyDocument.parse(decoded)
    except PolicyError:
        text = dumps({"Unreadable": decoded})
        return PolicyDocument(text, text)


def _has(statement: Mapping[str, Any], action: str, resource: str) -> bool:
    return _has_action(statement, action) and any(
        covers(pattern, resource) for pattern in statement.get("Resource", [])
    )


def _has_action(statement: Mapping[str, Any], action: str) -> bool:
    return any(covers(fold(pattern), fold(action)) for pattern in statement.get("Action", []))


def canonical(document: PolicyDocument | Mapping[str, Any] | str) -> PolicyDocument:
    """Return the document in its one canonical spelling, given as a value, as a mapping or as JSON text.

    Raises:
        PolicyError: it is no policy document.

    """
    parsed = document if isinstance(document, PolicyDocument) else PolicyDocument.parse(document)
    return PolicyDocument(parsed.canonical, parsed.canonical)


def equivalent(left: PolicyDocument | Mapping[str, Any] | str, right: PolicyDocument | Mapping[str, Any] | str) -> bool:
    """Return whether AWS decides every request alike under both; PolicyError where one is no policy document."""
    return canonical(left) == canonical(right)


def loads_strict(text: str, *, spelt: bool = False) -> Any:
    """Parse JSON, refusing an object that has one key twice: json and AWS would keep only the last.

    With `spelt` a number that Python would write otherwise is the text of it, so that none changes or meets another.

    Raises:
        PolicyError: the text is no JSON, or has a key twice in one object.

    """
    try:
        return (_SPELT if spelt else _PLAIN).decode(text)
    except (ValueError, RecursionError) as error:
        raise PolicyError(f"not JSON: {error}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    for key, value in pairs:
        if key in seen:
            raise PolicyError(f"the key {key!r} stands twice in one object")
        seen[key] = value
    return seen


def _integer(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        # Python refuses thousands of digits, with advice for whoever writes the program.
        raise PolicyError(f"not JSON: a number of {len(text):,} digits") from None


def _as_json(raw: object) -> str:
    try:
        return dumps(raw, sort=False)
    except RecursionError:
        return "(nested too deeply to be shown)"


def _no_constant(name: str) -> Any:
    raise PolicyError(f"not JSON: {name} is no value")


# A decoder takes longer to make than a document to read.
_PLAIN = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant, parse_int=_integer)
_SPELT = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant, parse_int=number, parse_float=number)


def _union(lists: Iterable[Iterable[str]]) -> tuple[str, ...]:
    return tuple(sorted_set(value for values in lists for value in values))
