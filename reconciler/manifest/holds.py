"""Whether data satisfy a JSON Schema: yes or no, and fast.

jsonschema says what is wrong, and takes many times as long to find nothing: it is asked only where something is.
Keywords mean what JSON Schema draft 2020-12 says ("Core" 10, "Validation" 6); those that our schemas use are known.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Check = Callable[[Any], bool]

_ANNOTATIONS = frozenset(("$schema", "$id", "$defs", "title", "description", "default", "examples", "x-hint"))


def holds(schema: Mapping[str, Any]) -> Check:
    """Return a function that says whether data satisfy the schema. References lead to its `$defs`, not in circles.

    Raises:
        KeyError: the schema has a keyword, a type or a definition that is not known.

    """
    return _Compiler(schema.get("$defs", {})).check(schema)


class _Compiler:
    """Turns schemas into functions, each definition once."""

    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self._definitions = definitions
        self._defined: dict[str, Check] = {}

    def check(self, schema: Any) -> Check:
        """Return what says whether a value satisfies the schema."""
        if isinstance(schema, bool):
            return lambda _: schema
        checks = tuple(self._checks(schema))
        return checks[0] if len(checks) == 1 else _every(checks)

    def _checks(self, schema: Mapping[str, Any]) -> Iterator[Check]:
        for keyword, stated in schema.items():
            if keyword == "$ref":
                yield self._definition(stated.removeprefix("#/$defs/"))
            elif keyword == "if":
                yield self._either(stated, schema.get("then", True), schema.get("else", True))
            elif keyword in ("allOf", "anyOf", "oneOf"):
                yield _COMBINED[keyword](tuple(self.check(each) for each in stated))
            elif keyword in _APPLIED:
                yield _APPLIED[keyword](self.check(stated))
            elif keyword in _BOUNDS:
                yield _BOUNDS[keyword](stated)
            elif keyword not in _ANNOTATIONS | {"then", "else", "properties", "additionalProperties"}:
                raise KeyError(f"{keyword}: a keyword of JSON Schema that is not known here; add it, and a test")
        if "properties" in schema or "additionalProperties" in schema:
            known = {key: self.check(each) for key, each in schema.get("properties", {}).items()}
            yield _of_values(known, self.check(schema.get("additionalProperties", True)))

    def _definition(self, name: str) -> Check:
        if name not in self._defined:
            self._defined[name] = self.check(self._definitions[name])
        return self._defined[name]

    def _either(self, condition: Any, then: Any, otherwise: Any) -> Check:
        first, second, third = self.check(condition), self.check(then), self.check(otherwise)
        return lambda value: second(value) if first(value) else third(value)


def _every(checks: tuple[Check, ...]) -> Check:
    def check(value: Any) -> bool:
        for each in checks:  # noqa: SIM110 - all() over a generator takes twice as long
            if not each(value):
                return False
        return True

    return check


def _each_of(kind: type, inner: Check) -> Check:
    def check(value: Any) -> bool:
        if isinstance(value, kind):
            for each in value:  # type: ignore[attr-defined]
                if not inner(each):
                    return False
        return True

    return check


def _of_values(known: Mapping[str, Check], other: Check) -> Check:
    def check(value: Any) -> bool:
        if isinstance(value, dict):
            for key, each in value.items():
                if not known.get(key, other)(each):
                    return False
        return True

    return check


def _of(kind: type | tuple[type, ...], test: Callable[[Any, Any], bool]) -> Callable[[Any], Check]:
    """Return what makes a check of a keyword that concerns values of one kind only."""
    return lambda stated: lambda value: not isinstance(value, kind) or isinstance(value, bool) or test(value, stated)


def _types(stated: str | list[str]) -> Check:
    tests = tuple(_TYPES[name] for name in ([stated] if isinstance(stated, str) else stated))
    return tests[0] if len(tests) == 1 else lambda value: any(test(value) for test in tests)


def _one_of_values(stated: list[Any]) -> Check:
    values = {_hashable(value) for value in stated}
    return lambda value: _hashable(value) in values


def _hashable(value: Any) -> Any:
    """Return a value that equals another's where JSON Schema says that they are equal: 1 is 1.0, and not true."""
    if isinstance(value, bool):
        return ("boolean", value)
    if isinstance(value, list):
        return ("array", tuple(_hashable(each) for each in value))
    if isinstance(value, dict):
        return ("object", frozenset((key, _hashable(each)) for key, each in value.items()))
    return value


def _pattern(stated: str) -> Check:
    search = re.compile(stated).search
    return lambda value: not isinstance(value, str) or search(value) is not None


_TYPES: Mapping[str, Check] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "integer": lambda value: (
        (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, float) and value.is_integer())
    ),
}

_APPLIED: Mapping[str, Callable[[Check], Check]] = {
    "not": lambda inner: lambda value: not inner(value),
    "items": lambda inner: _each_of(list, inner),
    "propertyNames": lambda inner: _each_of(dict, inner),
}

_COMBINED: Mapping[str, Callable[[tuple[Check, ...]], Check]] = {
    "allOf": _every,
    "anyOf": lambda checks: lambda value: any(check(value) for check in checks),
    "oneOf": lambda checks: lambda value: sum(check(value) for check in checks) == 1,
}

_BOUNDS: Mapping[str, Callable[[Any], Check]] = {
    "type": _types,
    "const": lambda stated: _one_of_values([stated]),
    "enum": _one_of_values,
    "pattern": _pattern,
    "required": _of(dict, lambda value, keys: all(key in value for key in keys)),
    "dependentRequired": _of(
        dict, lambda value, keys: all(key in value for given in keys if given in value for key in keys[given])
    ),
    "minProperties": _of(dict, lambda value, least: len(value) >= least),
    "minItems": _of(list, lambda value, least: len(value) >= least),
    "maxItems": _of(list, lambda value, most: len(value) <= most),
    "minLength": _of(str, lambda value, least: len(value) >= least),
    "maxLength": _of(str, lambda value, most: len(value) <= most),
    "minimum": _of((int, float), lambda value, least: value >= least),
    "maximum": _of((int, float), lambda value, most: value <= most),
    "uniqueItems": _of(list, lambda value, on: not on or len({_hashable(each) for each in value}) == len(value)),
}
