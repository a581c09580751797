"""Reads as AWS answers them: in pages, orders and spellings that differ from read to read (facts sheet 2.1, 4.5)."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote
from xml.etree import ElementTree as Xml

from reconciler.sandbox.strict.documents import readable
from reconciler.sandbox.strict.principals import shown
from reconciler.sandbox.strict.wire import RefusedError, Request, local, tag

# moto sends some documents percent-encoded and others as they are; none of the latter is made of this.
_ENCODED = re.compile(r"[A-Za-z0-9_.~/%-]*")
_DOCUMENTS = ("AssumeRolePolicyDocument", "PolicyDocument", "Document")
_DETAILS = "GetAccountAuthorizationDetails"
PAGED = {
    _DETAILS,
    "GetGroup",
    "ListEntitiesForPolicy",
    "ListAttachedGroupPolicies",
    "ListAttachedRolePolicies",
    "ListAttachedUserPolicies",
    "ListGroupPolicies",
    "ListGroups",
    "ListGroupsForUser",
    "ListInstanceProfiles",
    "ListInstanceProfilesForRole",
    "ListPolicies",
    "ListPolicyTags",
    "ListPolicyVersions",
    "ListRolePolicies",
    "ListRoles",
    "ListRoleTags",
    "ListUserPolicies",
    "ListUserTags",
    "ListUsers",
}
"""The operations that answer in pages."""

_Rest = list[tuple[str, Xml.Element]]


class Reads:
    """Rewrites moto's answers; everything random comes from the seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.clear()

    def clear(self) -> None:
        """Begin anew, with the same seed."""
        self.fewer = False
        """Whether GetAccountAuthorizationDetails gives fewer than MaxItems at times (facts sheet 2.1)."""
        self._random = random.Random(self._seed)  # noqa: S311 - nothing secret
        self._pages: dict[tuple[str, str, str], _Rest] = {}

    def page_size(self, request: Request) -> int:
        """Return how many entities this page may hold: MaxItems, 100 if not sent; AWS may give fewer (2.1).

        Raises:
            RefusedError: ValidationError, 400, for a MaxItems out of 1 to 1000.

        """
        text = request.get("MaxItems") or "100"
        if not text.isdecimal() or not 1 <= int(text) <= 1000:
            raise RefusedError("ValidationError", f"Value {text} at 'maxItems' is not between 1 and 1000")
        most = int(text)
        return self._random.randint(-(-most // 2), most) if self.fewer and request.operation == _DETAILS else most

    def rewrite(self, request: Request, root: Xml.Element) -> None:
        """Reorder and respell, and cut the page; what AWS leaves out of bulk reads, moto leaves out itself."""
        result = root[0]
        self._respell(result)
        for element in list(result.iter()):
            if len(element) > 1 and all(local(child) == "member" for child in element):
                children = list(element)
                self._random.shuffle(children)
                element[:] = children
        if request.operation in PAGED:
            self._first_page(result, request)

    def next_page(self, request: Request) -> Xml.Element:
        """Return the page that a Marker stands for.

        Raises:
            RefusedError: ValidationError, 400, for a marker that was never given, or to another call.

        """
        rest = self._pages.get((request.account, request.operation, request.get("Marker") or ""))
        if rest is None:
            raise RefusedError("ValidationError", "Invalid Marker.")
        root = Xml.Element(tag(f"{request.operation}Response"))
        result = Xml.SubElement(root, tag(f"{request.operation}Result"))
        self._fill(request, result, rest)
        metadata = Xml.SubElement(root, tag("ResponseMetadata"))
        Xml.SubElement(metadata, tag("RequestId")).text = "strict"
        return root

    def _first_page(self, result: Xml.Element, request: Request) -> None:
        entries: _Rest = []
        for collection in list(result):
            if len(collection) and all(local(child) == "member" for child in collection):
                entries += [(local(collection), child) for child in collection]
                collection[:] = []
        if request.operation == _DETAILS:
            self._random.shuffle(entries)
        self._fill(request, result, entries)

    def _fill(self, request: Request, result: Xml.Element, entries: _Rest) -> None:
        most = self.page_size(request)
        _drop(result, ("IsTruncated", "Marker"))
        for name, member in entries[:most]:
            collection = result.find(tag(name))
            (Xml.SubElement(result, tag(name)) if collection is None else collection).append(member)
        rest = entries[most:]
        Xml.SubElement(result, tag("IsTruncated")).text = "true" if rest else "false"
        if rest:
            marker = f"page-{len(self._pages)}-{self._random.randrange(16**8):08x}"
            self._pages[request.account, request.operation, marker] = rest
            Xml.SubElement(result, tag("Marker")).text = marker

    def _respell(self, element: Xml.Element) -> None:
        for child in element:
            if local(child) in _DOCUMENTS:
                child.text = self._document(child.text or "", trust=local(child) == "AssumeRolePolicyDocument")
            else:
                self._respell(child)

    def _document(self, text: str, *, trust: bool) -> str:
        """Return a document percent-encoded (facts sheet 2.3), in some spelling; what is no policy as it is."""
        plain = unquote(text) if _ENCODED.fullmatch(text) else text
        parsed = readable(plain)
        if parsed is None:
            return quote(plain, safe="")
        return quote(json.dumps(self._shuffled(shown(parsed) if trust else parsed)), safe="")

    def _shuffled(self, document: dict[str, Any]) -> dict[str, Any]:
        """Return the document with its lists and keys in another order, one-element lists as strings at times."""
        found = document["Statement"]
        many = found if isinstance(found, list) else [found]
        respelt = [self._statement(statement) for statement in many]
        one = isinstance(found, dict) and self._random.random() < 0.5
        return {**document, "Statement": respelt[0] if one else respelt}

    def _statement(self, statement: Mapping[str, Any]) -> dict[str, Any]:
        shuffled = {}
        for name, value in statement.items():
            if isinstance(value, dict):
                keys = list(value)
                self._random.shuffle(keys)
                shuffled[name] = {key: self._values(value[key]) for key in keys}
            else:
                shuffled[name] = self._values(value)
        return shuffled

    def _values(self, value: Any) -> Any:
        if isinstance(value, dict):
            keys = list(value)
            self._random.shuffle(keys)
            return {key: self._values(value[key]) for key in keys}
        if not isinstance(value, list):
            return value
        if len(value) == 1 and self._random.random() < 0.5:
            return value[0]
        items = list(value)
        self._random.shuffle(items)
        return items


def _drop(element: Xml.Element, names: tuple[str, ...]) -> None:
    for child in list(element):
        if local(child) in names:
            element.remove(child)
