"""Two policy documents are equal when they mean the same."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import PolicyError
from reconciler.policy.document import PolicyDocument
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
    ],
)
def test_different_meanings_are_not_equal(left: list[dict[str, Any]], right: list[dict[str, Any]]) -> None:
    assert document(*left) != document(*right)


def test_a_missing_version_is_the_old_one() -> None:
    bare = PolicyDocument.parse({"Statement": [allow()]})
    assert bare == PolicyDocument.parse({"Version": "2008-10-17", "Statement": [allow()]})
    assert bare != document(allow())


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


texts = st.sampled_from(["a:B", "c:D", "e:F", "g:*"])
statements = st.fixed_dictionaries(
    {
        "Effect": st.sampled_from(["Allow", "Deny"]),
        "Action": st.one_of(texts, st.lists(texts, min_size=1, max_size=3)),
        "Resource": st.one_of(texts, st.lists(texts, min_size=1, max_size=3)),
    },
    optional={
        "Sid": st.sampled_from(["", "one"]),
        "Condition": st.dictionaries(
            st.sampled_from(["StringEquals", "Bool"]),
            st.dictionaries(st.sampled_from(["k:x", "k:y"]), st.lists(texts, min_size=1, max_size=3), min_size=1),
            min_size=1,
        ),
    },
)
documents = st.lists(statements, min_size=1, max_size=4)


def shuffled(value: Any, dice: Any) -> Any:
    """Return the same meaning in another spelling."""
    if isinstance(value, dict):
        items = [(key, shuffled(item, dice)) for key, item in value.items()]
        dice.shuffle(items)
        return dict(items)
    if isinstance(value, list):
        turned: list[Any] = [shuffled(item, dice) for item in value]
        dice.shuffle(turned)
        return turned[0] if len(turned) == 1 and isinstance(turned[0], str) and dice.random() < 0.5 else turned
    return value


@given(documents, st.randoms())
def test_shuffling_a_document_never_changes_it(given_statements: list[dict[str, Any]], dice: random.Random) -> None:
    assert document(*shuffled(given_statements, dice)) == document(*given_statements)


@given(documents)
def test_canonical_is_idempotent(given_statements: list[dict[str, Any]]) -> None:
    first = document(*given_statements)
    assert PolicyDocument.parse(first.canonical).canonical == first.canonical


@given(documents, st.data())
def test_changing_one_value_always_changes_the_document(given_statements: list[dict[str, Any]], data: Any) -> None:
    unique = {json.dumps(document(s).canonical): s for s in given_statements}
    index = data.draw(st.integers(0, len(unique) - 1))
    changed = [dict(statement) for statement in unique.values()]
    element = data.draw(st.sampled_from(["Action", "Resource"]))
    changed[index][element] = "new:Value"
    assert document(*changed) != document(*unique.values())
