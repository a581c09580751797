"""Where something of a grant stands in the files, for who knows it by its meaning only.

A manifest keeps no places beside those of its grants, since most runs ask for none: the files are read once more here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from reconciler.errors import ManifestError, Place
from reconciler.manifest.files import manifest_files
from reconciler.manifest.policies import ELEMENTS
from reconciler.manifest.source import PathTo, Source, read_source
from reconciler.model import Manifest, Spot
from reconciler.policy.case import fold
from reconciler.policy.document import listed

_LONG = {element: key for key, element in ELEMENTS.items()}
"""The key of the short form of permissions, by IAM's own word."""


_BY_REQUIRE = {"aws:sourceip": "source_ip", "sts:externalid": "external_id", "aws:principalorgid": "source_org"}
"""What `require` calls the condition keys that it is made of."""


class Places:
    """The places of a manifest that was read from these paths."""

    def __init__(self, manifest: Manifest, paths: Iterable[str]) -> None:
        self._grants = {grant.name: grant.place for grant in manifest.grants}
        self._paths = list(paths)
        self._sources: dict[str, Source | None] = {}
        self._defaults: Source | None = None
        self._looked = False

    def place(self, grant: str, spot: Spot) -> Place | None:
        """Return where a spot of a grant stands; where the nearest thing around it does, at last the grant itself.

        What a grant inherits stands in the defaults. None of a grant that is not declared.
        """
        known = self._grants.get(grant)
        if known is None:
            return None
        source = self._source(known.file)
        if source is None:
            return known
        at: PathTo = ("grants", grant)
        if spot.statement is not None:
            return self._of_statement(source, at, spot) or known
        return self._of_path(source, at, spot.path) if spot.path else source.key_place(at)

    def _source(self, file: str) -> Source | None:
        if file not in self._sources:
            try:
                self._sources[file] = read_source(Path(file), file)
            except ManifestError:
                # It was read a moment ago, and somebody has changed it since: the place of the grant is good enough.
                self._sources[file] = None
        return self._sources[file]

    def _of_path(self, source: Source, at: PathTo, path: tuple[str, ...]) -> Place:
        stated = _deepest(source, at, path)
        if path[0] == "trust_conditions" and len(stated) < len(at) + len(path) and fold(path[-1]) in _BY_REQUIRE:
            return self._of_path(source, at, ("require", _BY_REQUIRE[fold(path[-1])]))
        if len(stated) == len(at) and path[0] not in ("from", "to"):
            defaults = self._find_defaults()
            if defaults is not None and len(inherited := _deepest(defaults, ("defaults",), path)) > 1:
                return defaults.key_place(inherited)
        return source.place(stated) if isinstance(stated[-1], int) else source.key_place(stated)

    def _find_defaults(self) -> Source | None:
        if not self._looked:
            self._looked = True
            for file, _ in manifest_files(self._paths, []):
                source = self._source(str(file))
                if source is not None and isinstance(source.data, dict) and "defaults" in source.data:
                    self._defaults = source
                    break
        return self._defaults

    def _of_statement(self, source: Source, at: PathTo, spot: Spot) -> Place | None:
        """Return where a statement stands: in the short form, in a whole policy, or in the file that is named there."""
        grant = _value(source, at)
        key: PathTo = ("inline_policies", spot.policy) if spot.policy else ("policy",)
        if not spot.policy and "permissions" in grant:
            return _within(source, (*at, "permissions"), spot)
        stated = _value(source, (*at, *key))
        if not isinstance(stated, dict):
            return None
        if "file" not in stated:
            return _within(source, (*at, *key, "Statement"), spot)
        file = self._source(str(Path(source.file).parent / stated["file"]))
        return _within(file, ("Statement",), spot) if file is not None else source.place((*at, *key, "file"))


def _value(source: Source, path: PathTo) -> Any:
    found: Any = source.data
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _deepest(source: Source, at: PathTo, path: tuple[str, ...]) -> PathTo:
    """Return how much of a path there is below another; its last part may also be one of the values of a list."""
    found: Any = _value(source, at)
    for key in path:
        if isinstance(found, dict) and key in found:
            at, found = (*at, key), found[key]
        elif isinstance(found, dict) and (near := [one for one in found if fold(one) == fold(key)]):
            at, found = (*at, near[0]), found[near[0]]
        elif isinstance(found, list) and key in found:
            return (*at, found.index(key))
        else:
            break
    return at


def _may_be(text: str, value: str) -> bool:
    """Return whether a text with variables may stand for a value."""
    parts = re.split(r"\$\{[^}]*\}", text)
    return len(parts) > 1 and re.fullmatch(".*".join(map(re.escape, parts)), value, re.DOTALL) is not None


def _within(source: Source, at: PathTo, spot: Spot) -> Place:
    """Return where a statement, an element of it or a value of that stands; `at` is where all statements do."""
    found = _value(source, at)
    assert spot.statement is not None
    if isinstance(found, list):
        at, found = (*at, spot.statement), found[spot.statement] if spot.statement < len(found) else None
    if not spot.element or not isinstance(found, dict):
        return source.place(at)
    key = next((one for one in (spot.element, _LONG.get(spot.element, "")) if one in found), None)
    if key is None:
        return source.place(at)
    at, found = (*at, key), found[key]
    if spot.element == "Condition":
        stated = _deepest(Source(source.file, {"": found}, {}, {}), ("",), tuple(spot.value.split(" ", 1)))
        return source.key_place((*at, *stated[1:]))
    if not isinstance(found, list) or not spot.value:
        return source.place(at) if spot.value and isinstance(found, str) else source.key_place(at)
    texts = [str(text) for text in listed(found)]
    # A variable of accounts stands for the value by now.
    index = next((i for i, text in enumerate(texts) if text == spot.value), None)
    if index is None:
        index = next((i for i, text in enumerate(texts) if _may_be(text, spot.value)), None)
    return source.key_place(at) if index is None else source.place((*at, index))
