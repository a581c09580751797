"""Two policy documents are equal when they mean the same."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from reconciler.errors import PolicyError
from reconciler.policy.conditions import overlaps
from reconciler.policy.document import PolicyDocument, equivalent, loads_strict
from reconciler.policy.shape import MAX_DEPTH
from tests.support import DEV, allow, document

ROOT = f"arn:aws:iam::{DEV}:root"


def trust(principal: Any, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}


@pytest.mark.parametrize(
    ("left", "right"),
    [
        pytest.param([allow("a:B"), allow("c:D")], [allow("c:D"), allow("a:B")], id="order of statements"),
        pytest.param([allow("a:B"), allow("a:B")], [allow("a:B")], id="a statement twice"),
        pytest.param([allow(["a:B", "c:D"])], [allow(["c:D", "a:B"])], id="order of actions"),
        pytest.param([allow("a:B", ["r1", "r2"])], [allow("a:B", ["r2", "r1"])], id="order of resources"),
        pytest.param([allow("a:B")], [allow(["a:B"])], id="string and list of one"),
        pytest.param([allow("s3:GetObject")], [allow("S3:getobject")], id="case of actions"),
        pytest.param([allow("a:B", Sid="")], [allow("a:B")], id="empty Sid"),
        pytest.param([allow("a:B", Condition={})], [allow("a:B")], id="empty Condition"),
        pytest.param([trust({"AWS": DEV})], [trust({"AWS": ROOT})], id="account id and root ARN"),
        pytest.param([trust({"AWS": ["x", "y"]})], [trust({"AWS": ["y", "x"]})], id="order of principals"),
        pytest.param(
            [allow("a:B", Condition={"Bool": {"k:x": True}})],
            [allow("a:B", Condition={"Bool": {"k:x": ["true"]}})],
            id="boolean as string",
        ),
        pytest.param(
            [allow("a:B", Condition={"NumericEquals": {"k:x": 5}})],
            [allow("a:B", Condition={"NumericEquals": {"k:x": "5"}})],
            id="number as string",
        ),
        pytest.param([allow("s3:**")], [allow("s3:*")], id="run of stars in an action"),
        pytest.param([allow("a:B", "arn:aws:s3:::b/***")], [allow("a:B", "arn:aws:s3:::b/*")], id="run of stars"),
        pytest.param([allow("a:B", "x*?*?y")], [allow("a:B", "x??*y")], id="order in a run of wildcards"),
        pytest.param(
            [allow("a:B", Condition={"StringLike": {"k:x": "a**"}})],
            [allow("a:B", Condition={"StringLike": {"k:x": "a*"}})],
            id="run of stars under StringLike",
        ),
        pytest.param(
            [allow("a:B", Condition={"stringequals": {"AWS:sourceip": "x"}})],
            [allow("a:B", Condition={"StringEquals": {"aws:SourceIp": "x"}})],
            id="case of condition operators and keys",
        ),
        pytest.param(
            [allow("a:B", Condition={"StringEquals": {"aws:PrincipalTag/Team": "x"}})],
            [allow("a:B", Condition={"StringEquals": {"aws:principaltag/team": "x"}})],
            id="case of a tag's key in AWS's own condition keys",
        ),
        pytest.param([allow("s3:Get**")], [allow("S3:GET*")], id="run of stars and case in an action"),
        pytest.param(
            [{"Effect": "Deny", "NotPrincipal": {"AWS": [ROOT, "x"]}, "Action": "a:B"}],
            [{"Effect": "Deny", "NotPrincipal": {"AWS": ["x", DEV]}, "Action": "a:B"}],
            id="NotPrincipal",
        ),
        pytest.param(
            [trust({"AWS": "arn:aws-cn:iam::123456789012:root"})], [trust({"AWS": DEV})], id="root in its partition"
        ),
    ],
)
def test_spellings_of_one_meaning_are_equal(left: list[dict[str, Any]], right: list[dict[str, Any]]) -> None:
    assert document(*left) == document(*right)
    assert hash(document(*left)) == hash(document(*right))


@pytest.mark.parametrize(
    ("left", "right"),
    [
        pytest.param([allow("a:B")], [{**allow("a:B"), "Effect": "Deny"}], id="effect"),
        pytest.param([allow("a:B")], [allow("a:C")], id="action"),
        pytest.param([allow("a:B", "r")], [allow("a:B", "R")], id="case of a resource"),
        pytest.param([allow("a:B")], [{"Effect": "Allow", "NotAction": "a:B", "Resource": "*"}], id="NotAction"),
        pytest.param([allow("a:B")], [allow("a:B"), allow("c:D")], id="one statement more"),
        pytest.param([allow("a:B", Sid="x")], [allow("a:B")], id="Sid"),
        pytest.param([trust({"AWS": DEV})], [trust({"AWS": "555555555555"})], id="principal"),
        pytest.param([trust({"AWS": "x"})], [trust({"Service": "x"})], id="kind of principal"),
        pytest.param([trust({"AWS": DEV})], [trust({"AWS": DEV}, Condition={"Bool": {"k:x": "true"}})], id="condition"),
        pytest.param(
            [allow("a:B", Condition={"StringLike": {"k:x": "v"}})],
            [allow("a:B", Condition={"StringLike": {"k:x": "V"}})],
            id="case of a condition's value",
        ),
        pytest.param(
            [allow("a:B", Condition={"StringEquals": {"k:x": "a**"}})],
            [allow("a:B", Condition={"StringEquals": {"k:x": "a*"}})],
            id="stars under StringEquals, where they are stars",
        ),
        pytest.param([allow("a:B", "x*")], [allow("a:B", "x?*")], id="a question mark before a star"),
        pytest.param([allow("a:B", "${*}*")], [allow("a:B", "${*}")], id="a star that stands for itself"),
        pytest.param(
            [allow("a:B", Condition={"ForAllValues:StringEquals": {"k:x": "v"}})],
            [allow("a:B", Condition={"ForAnyValue:StringEquals": {"k:x": "v"}})],
            id="ForAllValues",
        ),
        pytest.param(
            [allow("a:B", Condition={"StringEqualsIfExists": {"k:x": "v"}})],
            [allow("a:B", Condition={"StringEquals": {"k:x": "v"}})],
            id="IfExists",
        ),
        pytest.param(
            [allow("a:B", Condition={"StringEquals": {"s3:ExistingObjectTag/Team": "v"}})],
            [allow("a:B", Condition={"StringEquals": {"s3:ExistingObjectTag/team": "v"}})],
            id="case of a tag's key of a service",
        ),
        pytest.param(
            [allow("a:B", Condition={"StringEquals": {"k:x": "v", "K:X": "w"}})],
            [allow("a:B", Condition={"StringEquals": {"k:x": "w", "K:X": "v"}})],
            id="one key in two spellings",
        ),
        pytest.param(
            [allow("a:B", Condition={"StringEquals": {"k:x": "w", "K:X": "v"}})],
            [allow("a:B", Condition={"StringEquals": {"K:X": "v"}})],
            id="one of the two spellings lost",
        ),
        pytest.param([trust("*")], [trust({"AWS": DEV})], id="everybody"),
        pytest.param(
            [allow("iam:CreateAccessKey")], [allow("iam:CreateAccess\u212aey")], id="Kelvin sign in an action"
        ),
        pytest.param([allow("s3:x")], [allow("\u017f3:x")], id="long s in an action"),
        pytest.param(
            [allow("a:B", Condition={"Null": {"aws:TokenIssueTime": "true"}})],
            [allow("a:B", Condition={"Null": {"aws:To\u212aenIssueTime": "true"}})],
            id="Kelvin sign in a condition key",
        ),
        pytest.param(
            [allow("a:B", Condition={"StringLike": {"k:x": "v"}})],
            [allow("a:B", Condition={"StringLi\u212ae": {"k:x": "v"}})],
            id="Kelvin sign in an operator",
        ),
        pytest.param(
            [allow("a:B", Condition={"StringEquals": {"aws:PrincipalTag/key": "v"}})],
            [allow("a:B", Condition={"StringEquals": {"aws:PrincipalTag/\u212aey": "v"}})],
            id="Kelvin sign in a tag's key",
        ),
        pytest.param(
            [trust({"AWS": f"arn:aws:iam::{DEV}:role/Reader"})],
            [trust({"AWS": f"arn:aws:iam::{DEV}:role/reader"})],
            id="case of a principal's name",
        ),
        pytest.param([trust({"AWS": f"arn:aws:iam::{DEV}:user/root"})], [trust({"AWS": DEV})], id="a user called root"),
        pytest.param([allow("a:B", "x??*")], [allow("a:B", "x?*")], id="two question marks before a star"),
        pytest.param([allow("a:B", "${k, '}**'}")], [allow("a:B", "${k, '}*'}")], id="stars in a default value"),
        pytest.param([allow("a:B", Action=[])], [{"Effect": "Allow", "Resource": "*"}], id="an empty list"),
        pytest.param([allow("a:B", Condition={"StringEquals": {}})], [allow("a:B")], id="an operator without keys"),
        pytest.param([allow("a:B", Extra=None)], [allow("a:B")], id="an unknown element"),
        pytest.param([allow("a:B", "arn:aws-cn:s3:::b")], [allow("a:B", "arn:aws:s3:::b")], id="partition"),
    ],
)
def test_different_meanings_are_not_equal(left: list[dict[str, Any]], right: list[dict[str, Any]]) -> None:
    assert document(*left) != document(*right)


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ({}, {"Version": "2008-10-17"}, True),
        ({"Version": ""}, {}, True),
        ({}, {"Version": "2012-10-17"}, True),
        ({"Version": "2012-10-17"}, {"Version": "2020-01-01"}, False),
        ({"Id": "a"}, {"Id": "b"}, False),
        ({"Id": "a"}, {}, False),
        ({"Id": ""}, {}, True),
        ({"version": "2012-10-17"}, {}, False),
        ({"Extra": None}, {}, False),
        ({"Extra": 1}, {"Extra": 2}, False),
    ],
)
def test_the_version_counts_only_where_it_can_matter(left: Any, right: Any, same: bool) -> None:
    assert equivalent({**left, "Statement": [allow()]}, {**right, "Statement": [allow()]}) is same


@pytest.mark.parametrize(
    "statement",
    [
        allow("a:B", "arn:aws:s3:::b/${aws:username}"),
        allow("a:B", Condition={"StringEquals": {"k:x": "${aws:username}"}}),
    ],
)
def test_a_policy_variable_tells_the_versions_apart(statement: Any) -> None:
    old, new = ({"Version": version, "Statement": statement} for version in ("2008-10-17", "2012-10-17"))
    assert not equivalent(old, new)
    assert equivalent({"Statement": statement}, old)


def test_a_key_that_stands_twice_makes_a_document_unreadable_with_its_text() -> None:
    text = '{"Version": "2012-10-17", "Statement": [], "Statement": [{}]}'
    found = PolicyDocument.read(quote(text))
    assert found.data() == {"Unreadable": text}


def test_a_single_statement_may_stand_without_a_list() -> None:
    assert PolicyDocument.parse({"Version": "2012-10-17", "Statement": allow()}) == document(allow())


def test_the_document_is_written_as_its_author_spelt_it_in_ascii() -> None:
    written = PolicyDocument.parse({"Version": "2012-10-17", "Statement": [allow("S3:GetObject", "ä")]}).written
    assert "S3:GetObject" in written
    assert written.isascii()
    assert json.loads(written)["Statement"][0]["Resource"] == "ä"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ("[]", "Statement"),
        ("{}", "Statement"),
        ('{"Statement": 5}', "Statement"),
        ('{"Statement": ["x"]}', "Statement"),
        ('{"Statement": [], "Statement": []}', "stands twice"),
        ("[" * 100_000, "not JSON"),
        ('{"Statement": [], "X": %s}' % ("[" * MAX_DEPTH + "]" * MAX_DEPTH), "nested more than 20 deep"),
        ('{"Statement": [], "Version": 5}', "Version has to be a string"),
        ('{"Statement": [], "Id": null}', "Id has to be a string"),
        ('{"Statement": [], "Id": NaN}', "NaN"),
    ],
)
def test_text_that_is_no_policy_is_refused(text: str, words: str) -> None:
    with pytest.raises(PolicyError, match=words):
        PolicyDocument.parse(text)


@pytest.mark.parametrize("raw", ["%7Bbroken", "no json", 5, None, {"Statement": 5}])
def test_what_aws_returns_unreadable_equals_only_itself(raw: object) -> None:
    assert PolicyDocument.read(raw) == PolicyDocument.read(raw)
    assert PolicyDocument.read(raw) != document(allow())


def test_a_percent_encoded_document_is_read() -> None:
    assert PolicyDocument.read("%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%5D%7D") == document()


@pytest.mark.parametrize("alone", [True, False], ids=["a statement alone", "a list"])
def test_a_document_without_sids_means_what_one_says_that_never_had_any(alone: bool) -> None:
    bare = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "arn:aws:iam::123456789012:role/x"}
    named = {"Sid": "VisualEditor0", **bare}
    found, wanted = (
        PolicyDocument.parse({"Version": "2012-10-17", "Statement": s if alone else [s]}) for s in (named, bare)
    )
    assert found != wanted
    assert found.without_sids() == wanted
    assert found.without_sids().written == wanted.written


def test_a_document_that_has_no_sid_or_cannot_be_read_is_left_as_it_is() -> None:
    for raw in ('{"Statement": []}', "no JSON"):
        document = PolicyDocument.read(raw)
        assert document.without_sids() is document


@pytest.mark.parametrize(
    ("action", "resource", "names"),
    [
        ("sts:AssumeRole", "arn:aws:iam::1:role/x", True),
        ("STS:assumerole", "arn:aws:iam::1:role/x", True),
        ("sts:*", "*", True),
        ("*", "arn:aws:iam::*:role/?", True),
        ("sts:Assume*Identity", "*", False),
        ("sts:AssumeRole", "arn:aws:iam::1:role/X", False),
        ("sts:AssumeRole", "arn:aws:iam::1:role/[x]", False),
    ],
)
def test_a_document_names_an_action_and_a_resource_by_wildcard_too(action: str, resource: str, names: bool) -> None:
    for effect, expected in (("Allow", names), ("Deny", False)):
        statement = {"Effect": effect, "Action": action, "Resource": resource}
        document = PolicyDocument.parse({"Version": "2012-10-17", "Statement": statement})
        assert document.names("sts:AssumeRole", "arn:aws:iam::1:role/x") is expected


def test_a_number_of_thousands_of_digits_is_refused_without_advice_for_programmers() -> None:
    with pytest.raises(PolicyError) as caught:
        loads_strict('{"Statement": ' + "9" * 5000 + "}")
    assert str(caught.value) == "not JSON: a number of 5,000 digits"


def _with_number(value: str) -> str:
    condition = f'{{"NumericEquals": {{"k:x": {value}}}}}'
    return f'{{"Statement": {{"Effect": "Deny", "Action": "a:B", "Resource": "*", "Condition": {condition}}}}}'


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("5", '"5"', True),
        ("1.10", '"1.10"', True),
        ("1.10", '"1.1"', False),
        ("1e2", '"1e2"', True),
        ("1e2", "100", False),
        ("1.0", "1", False),
        ("-0", "0", False),
        ("1e400", "1e500", False),
        ("1e400", '"1e400"', True),
        ("12345678901234567.1", "12345678901234567.2", False),
        ("9" * 5000, f'"{"9" * 5000}"', True),
        ("true", '"true"', True),
        ("true", '"True"', False),
    ],
)
def test_a_number_equals_the_text_that_it_is_written_as(left: str, right: str, same: bool) -> None:
    assert equivalent(_with_number(left), _with_number(right)) is same
    assert json.dumps(json.loads(PolicyDocument.parse(_with_number(left)).written)).count("Infinity") == 0


@pytest.mark.parametrize("value", ["null", '[["a"]]', "[null]", '{"a": 1}'])
def test_a_value_that_is_no_string_number_or_boolean_equals_nothing(value: str) -> None:
    found = PolicyDocument.read(_with_number(value))
    assert found.unreadable() == _with_number(value)
    assert found != PolicyDocument.read(_with_number(json.dumps(value)))


@pytest.mark.parametrize(
    "element",
    [
        {"Action": None}, {"NotAction": {"a": 1}}, {"Resource": [["a"]]}, {"NotResource": [None]}, {"Principal": ["a"]},
        {"Principal": 5}, {"Principal": {"AWS": [{"x": 1}]}}, {"NotPrincipal": {"AWS": None}}, {"Sid": 0},
        {"Effect": ["Allow"]}, {"Condition": None}, {"Condition": {"Bool": []}}, {"Condition": ["x"]},
    ],
)  # fmt: skip
def test_an_element_of_another_type_makes_a_document_unreadable_with_its_text(element: Any) -> None:
    text = json.dumps({"Statement": [element]})
    assert PolicyDocument.read(text).unreadable() == text
    assert PolicyDocument.read(json.loads(text)).unreadable() == json.dumps(json.loads(text), separators=(",", ":"))


def test_a_document_is_read_as_deep_as_twenty_and_no_deeper() -> None:
    nested = "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1)
    assert PolicyDocument.parse(f'{{"Statement": [], "X": {nested}}}').unreadable() is None
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    for raw in (f'{{"Statement": [], "X": [{nested}]}}', "[" * 900 + "]" * 900, {"Statement": [], "X": deep}):
        assert PolicyDocument.read(raw).unreadable()


def test_a_policy_with_an_element_called_unreadable_is_a_policy() -> None:
    found = PolicyDocument.read('{"Unreadable": "x", "Statement": []}')
    assert (found.unreadable(), found == PolicyDocument.read('{"Unreadable": "x"}')) == (None, False)


def test_ids_are_replaced_beside_whatever_else_stands_there() -> None:
    raw = {"Statement": [trust({"AWS": ["AROAX", 5], "Service": "s"})]}
    assert PolicyDocument.read(raw).with_aws_principals({"AROAX": "y"}).aws_principals() == ("5", "y")
    broken = PolicyDocument.read({"Statement": [trust({"AWS": ["AROAX", {"x": 1}]})]})
    assert broken.with_aws_principals({"AROAX": "y"}) == broken


def test_condition_keys_overlap_ignoring_the_case_of_a_to_z_only() -> None:
    stands = {"StringLike": {"k:x": ("v",)}}
    assert overlaps(stands, {"stringlike": {"K:X": ("w",)}}) == (("stringlike", "K:X"),)
    assert overlaps(stands, {"StringLike": {"\u212a:x": ("w",)}, "StringLi\u212ae": {"k:x": ("w",)}}) == ()
