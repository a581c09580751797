"""Two policy documents are equal when they mean the same."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from reconciler.errors import PolicyError
from reconciler.policy.document import PolicyDocument, equivalent
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
        pytest.param([trust("*")], [trust({"AWS": DEV})], id="everybody"),
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
        PolicyDocument.parse('{"Statement": ' + "9" * 5000 + "}")
    assert str(caught.value) == "not JSON: a number of 5,000 digits"
