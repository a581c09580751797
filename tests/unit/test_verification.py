"""What is tried of a grant, what documents decide, and what it comes to."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.model import Check, Door, Probe, Side, Verdict, Way
from reconciler.policy.decisions import beyond, decided
from reconciler.use.probes import MOST, forbidden, granted
from tests.support import allow, document

BUCKET = "arn:aws:s3:::b"
TABLE = "arn:aws:dynamodb:eu-west-1:1:table"
NO_MFA = {"Bool": {"aws:MultiFactorAuthPresent": "false"}}


def deny(actions: Any, resources: Any = "*", **more: Any) -> dict[str, Any]:
    return {**allow(actions, resources, **more), "Effect": "Deny"}


@pytest.mark.parametrize(
    ("statements", "decision"),
    [
        ([allow("s3:Get*", f"{BUCKET}/*")], True),
        ([allow("S3:GETOBJECT", "*")], True),
        ([allow("s3:PutObject", "*")], False),
        ([allow("s3:*", BUCKET)], False),
        ([allow("s3:*"), deny("s3:Get?bject")], False),
        ([allow("s3:*"), deny("s3:GetObject", Condition=NO_MFA)], None),
        ([allow("s3:*", Condition=NO_MFA)], None),
        ([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}], True),
        ([{"Effect": "Allow", "NotAction": "s3:*", "Resource": "*"}], False),
        ([{"Effect": "Allow", "Action": "s3:*", "NotResource": f"{BUCKET}/*"}], False),
    ],
)
def test_documents_decide_only_what_hangs_on_no_condition(
    statements: list[dict[str, Any]], decision: bool | None
) -> None:
    assert decided([document(*statements)], "s3:GetObject", f"{BUCKET}/x") is decision


def test_what_documents_allow_beyond_others_is_told_by_action_and_resource() -> None:
    meant = document(allow(["s3:Get*", "s3:ListBucket"], [BUCKET, f"{BUCKET}/*"]))
    assert [*beyond([document(allow("s3:GetObject", f"{BUCKET}/*"))], [meant])] == []
    more = document(
        allow(["s3:GetObject", "s3:*"], f"{BUCKET}/*"), allow(["s3:Get*", "s3:ListBucket"], [BUCKET, f"{BUCKET}/*"])
    )
    assert [*beyond([more], [meant])] == [f"s3:* on {BUCKET}/*"]


def test_what_the_others_deny_on_conditions_makes_nothing_wider() -> None:
    denial = deny("*", Condition=NO_MFA)
    narrow = document(allow("s3:GetObject", f"{BUCKET}/x"), denial)
    assert [*beyond([narrow], [document(allow("s3:GetObject", f"{BUCKET}/*"), denial)])] == []


@pytest.mark.parametrize(
    ("statement", "tried", "refused"),
    [
        (
            allow(["s3:GetObject", "s3:ListBucket"], [BUCKET, f"{BUCKET}/*"]),
            [("s3:GetObject", f"{BUCKET}/xgrant-verify"), ("s3:ListBucket", BUCKET)],
            [("s3:PutObject", f"{BUCKET}/xgrant-verify"),
             ("s3:GetObject", "arn:aws:s3:::xgrant-verify-elsewhere-b/xgrant-verify")],
        ),
        (allow("s3:*"), [("s3:getobject", "*")], []),
        (allow("*"), [("s3:ListAllMyBuckets", "*")], []),
        (
            allow("sqs:*", "arn:aws:sqs:eu-west-1:1:q"),
            [("sqs:GetQueueAttributes", "arn:aws:sqs:eu-west-1:1:q")],
            [("sqs:GetQueueAttributes", "arn:aws:sqs:eu-west-1:1:xgrant-verify-elsewhere-q")],
        ),
        (allow("s3:PutObject", f"{BUCKET}/in/*"), [("s3:PutObject", f"{BUCKET}/in/xgrant-verify")],
         [("s3:DeleteObject", f"{BUCKET}/in/xgrant-verify"),
          ("s3:PutObject", "arn:aws:s3:::xgrant-verify-elsewhere-b/in/xgrant-verify")]),
        (
            allow("dynamodb:GetItem", f"{TABLE}/orders"),
            [("dynamodb:GetItem", f"{TABLE}/orders")],
            [("dynamodb:PutItem", f"{TABLE}/orders"), ("dynamodb:GetItem", f"{TABLE}/xgrant-verify-elsewhere-orders")],
        ),
        (
            allow("dynamodb:Query", f"{TABLE}/orders/index/*"),
            [("dynamodb:Query", f"{TABLE}/orders/index/xgrant-verify")],
            [("dynamodb:PutItem", f"{TABLE}/orders/index/xgrant-verify"),
             ("dynamodb:Query", f"{TABLE}/xgrant-verify-elsewhere-orders/index/xgrant-verify")],
        ),
        (
            allow("iam:GetRole", "arn:aws:iam::1:role/team/reader"),
            [("iam:GetRole", "arn:aws:iam::1:role/team/reader")],
            [("iam:CreateUser", "arn:aws:iam::1:role/team/reader"),
             ("iam:GetRole", "arn:aws:iam::1:role/team/xgrant-verify-elsewhere-reader")],
        ),
        (
            allow("logs:GetLogEvents", "arn:aws:logs:eu-west-1:1:log-group:/app:*"),
            [("logs:GetLogEvents", "arn:aws:logs:eu-west-1:1:log-group:/app:xgrant-verify")],
            [("logs:PutLogEvents", "arn:aws:logs:eu-west-1:1:log-group:/app:xgrant-verify"),
             ("logs:GetLogEvents", "arn:aws:logs:eu-west-1:1:log-group:xgrant-verify-elsewhere-/app:xgrant-verify")],
        ),
        (allow("s3:GetObject", Condition=NO_MFA), [], []),
        (allow("unheardof:Get*"), [], []),
    ],
)  # fmt: skip
def test_what_is_granted_is_tried_and_what_lies_beside_it(
    statement: dict[str, Any], tried: list[tuple[str, str]], refused: list[tuple[str, str]]
) -> None:
    documents = [document(statement)]
    probes, left = granted(documents)
    assert [(one.action.lower(), one.resource) for one in probes] == [(action.lower(), on) for action, on in tried]
    found = [(one.action.lower(), one.resource) for one in forbidden(documents, probes)]
    assert found == [(action.lower(), on) for action, on in refused]
    assert bool(left) is not bool(tried)


def test_a_denial_on_conditions_hides_no_request_and_is_told() -> None:
    documents = [document(allow("s3:GetObject", f"{BUCKET}/*"), deny("*", Condition=NO_MFA))]
    probes, left = granted(documents)
    assert [one.resource for one in probes] == [f"{BUCKET}/xgrant-verify"]
    assert len([*forbidden(documents, probes)]) == 2
    (note,) = left
    assert "the grant denies, on conditions, what it allows" in note


@pytest.mark.parametrize("statements", [[allow("s3:GetObject"), deny("s3:*")], [deny("s3:*")]])
def test_that_nothing_can_be_tried_is_told(statements: list[dict[str, Any]]) -> None:
    assert granted([document(*statements)]) == ((), ("the grant allows nothing that could be tried",))


def test_of_many_requests_the_first_are_tried_and_that_is_said() -> None:
    probes, left = granted([document(allow("s3:GetObject", [f"{BUCKET}{n}/*" for n in range(100)]))])
    assert (len(probes), left) == (MOST, (f"of 100 requests that are granted the first {MOST} are tried",))


YES, NO, NONE = (Side(allowed, Way.SIMULATION) for allowed in (True, False, None))
GOOD = Check(Probe("a:b", "*", meant=True), True, Way.SIMULATION)
LESS = Check(Probe("a:b", "*", meant=True), False, Way.SIMULATION)
OPAQUE = Check(Probe("a:b", "b", meant=True), None, Way.SIMULATION)
MORE = Check(Probe("a:c", "*", meant=False), True, Way.SIMULATION)


@pytest.mark.parametrize(
    ("meant", "caller", "trust", "more", "verdict"),
    [
        (True, YES, YES, {"checks": (GOOD,)}, Verdict.OPEN),
        (True, NO, YES, {}, Verdict.CLOSED),
        (True, NONE, NO, {}, Verdict.CLOSED),
        (True, YES, NONE, {}, Verdict.UNKNOWN),
        (True, YES, YES, {"checks": (GOOD, LESS)}, Verdict.CLOSED),
        (True, YES, YES, {"checks": (GOOD, OPAQUE)}, Verdict.OPEN),
        (True, YES, YES, {"checks": (OPAQUE,)}, Verdict.UNKNOWN),
        (True, YES, YES, {"narrower": ("x",)}, Verdict.CLOSED),
        (True, YES, YES, {"checks": (LESS, MORE)}, Verdict.WIDER),
        (True, NO, YES, {"wider": ("x",)}, Verdict.WIDER),
        (False, NO, YES, {}, Verdict.REFUSED),
        (False, YES, YES, {}, Verdict.WIDER),
        (False, YES, NONE, {}, Verdict.UNKNOWN),
    ],
)
def test_what_is_found_comes_to_one_of_five_verdicts(
    meant: bool, caller: Side, trust: Side, more: dict[str, Any], verdict: Verdict
) -> None:
    assert Door("g", "who", "", meant, caller, trust, **more).verdict() is verdict
