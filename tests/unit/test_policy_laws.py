"""Laws of policy documents: spelling never matters, meaning always does."""

from __future__ import annotations

import copy
import json
import random
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.policy.case import fold
from reconciler.policy.document import PolicyDocument, canonical, equivalent
from tests.support import DEV, STORAGE

Statement = dict[str, Any]

SPELLINGS = 20
"""How often each document is respelt, and changed: 500 documents make 10,000 comparisons."""

actions = st.sampled_from(["s3:GetObject", "s3:Get*", "sts:AssumeRole", "iam:*", "*"])
resources = st.sampled_from(["*", "arn:aws:s3:::b/*", "arn:aws:s3:::B", "arn:aws:s3:::${aws:username}/a?b", "x*?y"])
principals = st.sampled_from([DEV, f"arn:aws:iam::{STORAGE}:root", f"arn:aws:iam::{DEV}:role/a/R", "AROAEXAMPLE"])
values = st.sampled_from(["true", "5", "Value", "value", "a*", "${aws:username}", "203.0.113.0/24"])
operators = st.sampled_from(["StringEquals", "StringLike", "Bool", "ForAllValues:StringLike", "ArnLike", "Null"])
keys = st.sampled_from(["aws:PrincipalTag/Team", "sts:ExternalId", "s3:prefix", "k.example.com:sub", "s3:X/Tag"])


def some(texts: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return texts | st.lists(texts, min_size=1, max_size=3)


conditions = st.dictionaries(
    operators, st.dictionaries(keys, some(values), min_size=1, max_size=2), min_size=1, max_size=2
)


def statements_with(required: dict[str, Any]) -> st.SearchStrategy[Statement]:
    return st.fixed_dictionaries(
        {"Effect": st.sampled_from(["Allow", "Deny"]), **required},
        optional={"Sid": st.sampled_from(["", "One"]), "Condition": conditions},
    )


identity = statements_with({"Action": some(actions), "Resource": some(resources)})
inverse = statements_with({"NotAction": some(actions), "NotResource": some(resources)})
trust = statements_with({"Principal": st.fixed_dictionaries({"AWS": some(principals)}), "Action": some(actions)})
resource = statements_with(
    {
        "Principal": st.fixed_dictionaries(
            {"AWS": some(principals)}, optional={"Service": st.just("s3.amazonaws.com")}
        ),
        "Action": some(actions),
        "Resource": some(resources),
    }
)
documents = st.builds(
    lambda head, listed: {**head, "Statement": listed},
    st.sampled_from([{"Version": "2012-10-17"}, {"Version": "2008-10-17"}, {}, {"Version": "2012-10-17", "Id": "x"}]),
    st.one_of(*(st.lists(kind, min_size=1, max_size=4) for kind in (identity, inverse, trust, resource))),
)


def respelt(document: Any, dice: random.Random) -> Any:
    """Return the same meaning in another spelling, as AWS or a person may write it."""
    found: dict[str, Any] = {key: value for key, value in document.items() if key != "Statement"}
    listed = [_respelt_statement(statement, dice) for statement in document["Statement"]]
    listed += [copy.deepcopy(dice.choice(listed))] * dice.randrange(2)
    dice.shuffle(listed)
    found["Statement"] = listed[0] if len(listed) == 1 and dice.random() < 0.5 else listed
    if found.get("Version") == "2008-10-17" and dice.random() < 0.5:
        del found["Version"]
    shuffled = _shuffled(found, dice)
    return json.dumps(shuffled, indent=dice.choice([None, 1])) if dice.random() < 0.3 else shuffled


def _respelt_statement(statement: Statement, dice: random.Random) -> Statement:
    found: Statement = {}
    for element, value in statement.items():
        if element in ("Action", "NotAction"):
            found[element] = _values(value, dice, lambda text: dice.choice([text, text.lower(), text.upper()]))
        elif element in ("Resource", "NotResource"):
            found[element] = _values(value, dice, lambda text: text)
        elif element == "Principal":
            found[element] = {
                kind: _values(names, dice, lambda text: _root(text, dice)) for kind, names in value.items()
            }
        elif element == "Condition":
            found[element] = {
                dice.choice([operator, operator.upper()]): {
                    key if "X" in key else dice.choice([key, key.swapcase()]): _values(
                        texts, dice, lambda t: t, operator
                    )
                    for key, texts in inner.items()
                }
                for operator, inner in value.items()
            }
        elif element != "Sid" or value or dice.random() < 0.5:
            found[element] = value
    return found


def _root(text: str, dice: random.Random) -> str:
    account = text.split(":")[4] if text.endswith(":root") else text
    return dice.choice([account, f"arn:aws:iam::{account}:root"]) if account.isdecimal() else text


def _values(value: Any, dice: random.Random, respell: Callable[[str], str], operator: str = "Like") -> Any:
    texts = [respell(text) for text in ([value] if isinstance(value, str) else value)]
    if "Like" in operator:
        texts = [text.replace("*", "*" * dice.randrange(1, 4)) for text in texts]
    turned: list[Any] = [_typed(text, dice) if operator != "Like" else text for text in texts]
    turned += [dice.choice(turned)] * dice.randrange(2)
    dice.shuffle(turned)
    return turned[0] if len(turned) == 1 and dice.random() < 0.5 else turned


def _typed(text: str, dice: random.Random) -> Any:
    return {"true": True, "5": 5}.get(text, text) if dice.random() < 0.5 else text


def _shuffled(value: Any, dice: random.Random) -> Any:
    if isinstance(value, dict):
        items = [(key, _shuffled(item, dice)) for key, item in value.items()]
        dice.shuffle(items)
        return dict(items)
    return [_shuffled(item, dice) for item in value] if isinstance(value, list) else value


def mutated(document: Any, dice: random.Random) -> Any:
    """Return a document that means something else in exactly one place."""
    found = copy.deepcopy(document)
    # Of two equal statements one may change without a change of meaning but that it is one more.
    found["Statement"] = list({canonical({"Statement": s}).canonical: s for s in found["Statement"]}.values())
    statement = dice.choice(found["Statement"])
    places: list[Callable[[], None]] = [lambda: statement.update(Effect=_other(statement["Effect"], "Allow", "Deny"))]
    for element in ("Action", "NotAction", "Resource", "NotResource"):
        if element in statement:
            places.append(lambda element=element: _change(statement, element, dice))  # type: ignore[misc]
            opposite = _other(element, element.removeprefix("Not"), "Not" + element.removeprefix("Not"))
            places.append(lambda e=element, o=opposite: statement.update({o: statement.pop(e)}))  # type: ignore[misc]
    if "Principal" in statement:
        places.append(lambda: _change(statement["Principal"], "AWS", dice))
    for operator, inner in statement.get("Condition", {}).items():
        places.extend(lambda inner=inner, key=key: _change(inner, key, dice) for key in inner)  # type: ignore[misc]
        places.append(lambda o=operator: _rename(statement["Condition"], o, o + "IfExists"))  # type: ignore[misc]
        places.append(lambda o=operator: statement["Condition"].pop(o))  # type: ignore[misc]
    places.append(lambda: statement.update(Condition={**statement.get("Condition", {}), "Bool": {"new:Key": "true"}}))
    places.append(lambda: found.update({dice.choice(["Extra", "version"]): "2012-10-17"}))
    places.append(lambda: found["Statement"].append({"Effect": "Deny", "Action": "new:Action", "Resource": "*"}))
    dice.choice(places)()
    return found


def _other(value: str, one: str, two: str) -> str:
    return two if value == one else one


def _change(holder: dict[str, Any], key: str, dice: random.Random) -> None:
    texts = [holder[key]] if isinstance(holder[key], str) else list(holder[key])
    index = dice.randrange(len(texts) + 1)
    holder[key] = [*texts[:index], "new:Value", *texts[index + 1 :]]


def _rename(holder: dict[str, Any], old: str, new: str) -> None:
    holder[new] = holder.pop(old)


@settings(max_examples=500)
@given(documents, st.integers(0, 2**32))
def test_respelling_a_document_never_changes_it(document: Any, seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(SPELLINGS):
        assert equivalent(document, respelt(document, dice))


@settings(max_examples=500)
@given(documents, st.integers(0, 2**32))
def test_changing_one_thing_always_changes_the_document(document: Any, seed: int) -> None:
    dice = random.Random(seed)
    for _ in range(SPELLINGS):
        other = mutated(document, dice)
        assert not equivalent(document, other), other
        assert not equivalent(respelt(document, dice), respelt(other, dice))


@given(st.text(), st.text())
def test_folding_makes_one_of_nothing_but_the_case_of_a_to_z(one: str, two: str) -> None:
    assert (fold(one) == fold(two)) is (re.fullmatch(re.escape(one), two, re.ASCII | re.IGNORECASE) is not None)


@given(st.decimals(allow_nan=False, allow_infinity=False), st.decimals(allow_nan=False, allow_infinity=False))
def test_numbers_are_one_only_where_they_are_written_alike(one: Decimal, two: Decimal) -> None:
    def value(text: Any) -> str:
        return f'{{"Statement": {{"Condition": {{"NumericEquals": {{"k:x": {text}}}}}}}}}'

    left, right = (str(number).replace("E", "e") for number in (one, two))
    assert equivalent(value(left), value(right)) is (left == right)
    assert equivalent(value(left), value(json.dumps(left)))


@given(documents)
def test_canonical_is_idempotent(document: Any) -> None:
    once = canonical(document)
    assert canonical(once) == once == PolicyDocument.parse(document)
    assert canonical(once).written == once.written


@given(documents)
def test_the_text_of_a_document_is_parsed_to_what_it_was_and_read_as_the_same(document: Any) -> None:
    known = PolicyDocument.parse(document)
    again = PolicyDocument.parse(known.written)
    assert again is not known
    assert (again, again.written) == (known, known.written)
    assert PolicyDocument.read(quote(known.written)) == known


@given(documents, documents, st.integers(0, 2**32))
def test_equivalence_is_symmetric_and_transitive(left: Any, right: Any, seed: int) -> None:
    dice = random.Random(seed)
    one, two = respelt(left, dice), respelt(left, dice)
    assert equivalent(left, right) is equivalent(right, left)
    assert equivalent(left, one)
    assert equivalent(one, two)
    assert equivalent(left, right) is equivalent(two, right)
