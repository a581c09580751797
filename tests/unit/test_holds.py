"""What is held against a schema in short is so by jsonschema too: no manifest may slip through between the two."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from reconciler.data import data_path
from reconciler.manifest.holds import holds
from tests.unit.test_manifest_laws import mutated, values

MANIFEST: dict[str, Any] = json.loads(data_path("schemas/manifest.schema.json").read_text(encoding="utf-8"))
DEFINED = {name: {"$ref": f"#/$defs/{name}", "$defs": MANIFEST["$defs"]} for name in MANIFEST["$defs"]}

SMALL: list[dict[str, Any]] = [
    {},
    *({"type": kind} for kind in ("object", "array", "string", "boolean", "null", "number", "integer")),
    {"type": ["string", "null"]},
    {"const": 1},
    {"const": True},
    {"enum": ["a", 0, None, [1], {"a": 1}]},
    {"pattern": "^a+$(?!\\n)"},
    {"minLength": 2},
    {"maxLength": 1},
    {"minItems": 1, "items": {"type": "string"}},
    {"minItems": 1, "maxItems": 2},
    {"uniqueItems": True},
    {"uniqueItems": False},
    {"minimum": 1},
    {"maximum": 1},
    {"required": ["a", "b"]},
    {"dependentRequired": {"a": ["b"]}},
    {"minProperties": 2},
    {"properties": {"a": {"type": "string"}}, "additionalProperties": False},
    {"properties": {"a": True, "b": False}},
    {"additionalProperties": {"type": "null"}},
    {"propertyNames": {"pattern": "^a"}},
    {"not": {"type": "object", "required": ["a"]}},
    {"if": {"type": "string"}, "then": {"minLength": 2}, "else": {"type": "array"}},
    {"if": {"type": "string"}, "then": {"minLength": 2}},
    {"allOf": [{"minimum": 0}, {"maximum": 0}]},
    {"anyOf": [{"type": "string"}, {"minItems": 2}]},
    {"oneOf": [{"required": ["a"]}, {"required": ["b"]}]},
    {"$ref": "#/$defs/a", "minLength": 2, "$defs": {"a": {"type": "string"}}},
]
GIVEN: list[Any] = [
    None, True, False, 0, 1, -1, 1.0, 1.5, "", "a", "aa", "a\n", "b", [], [1], [True], ["a"], ["a", "a"], [1, 1.0],
    [1, True], [0, False], [[1], [1.0]], [{"a": 1}, {"a": True}], [{"a": 1}, {"a": 1}], [None, "a"], {}, {"a": 1},
    {"a": "x"}, {"a": None}, {"b": 1}, {"a": "x", "b": "y"}, {"c": None},
]  # fmt: skip


@pytest.mark.parametrize("schema", SMALL, ids=json.dumps)
def test_each_keyword_means_what_it_means_to_jsonschema(schema: dict[str, Any]) -> None:
    check, validator = holds(schema), Draft202012Validator(schema)
    assert [check(value) for value in GIVEN] == [validator.is_valid(value) for value in GIVEN]


@given(mutated())
def test_a_manifest_holds_where_jsonschema_has_nothing_against_it(data: Any) -> None:
    assert holds(MANIFEST)(data) == Draft202012Validator(MANIFEST).is_valid(data)


@pytest.mark.parametrize("name", DEFINED)
@given(value=st.one_of(values, st.sampled_from(GIVEN)))
def test_each_definition_holds_where_jsonschema_has_nothing_against_it(name: str, value: Any) -> None:
    assert holds(DEFINED[name])(value) == Draft202012Validator(DEFINED[name]).is_valid(value)


@pytest.mark.parametrize("schema", [{"contains": {}}, {"type": "date"}, {"$ref": "#/$defs/a"}], ids=json.dumps)
def test_a_schema_with_something_unknown_is_refused_and_not_passed_over(schema: dict[str, Any]) -> None:
    with pytest.raises(KeyError):
        holds(schema)
