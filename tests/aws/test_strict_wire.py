"""However a call comes in, the strict AWS checks it and it is noted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config

from reconciler.sandbox.scenario import Scenario
from reconciler.sandbox.server import Call, Sandbox
from tests.aws.strict_support import iam_of, refused, trust
from tests.support import DEV, STORAGE

SCOPE = "sandbox/20260101/us-east-1/iam/aws4_request"
SIGNED = {"Authorization": f"AWS4-HMAC-SHA256 Credential={SCOPE}, SignedHeaders=host, Signature=x"}
Send = Callable[[str, dict[str, str]], Request]


def by_get(url: str, parameters: dict[str, str]) -> Request:
    return Request(f"{url}/?{urlencode(parameters)}", headers=SIGNED)


def signed_in_the_address(url: str, parameters: dict[str, str]) -> Request:
    return Request(
        f"{url}/?{urlencode({**parameters, 'X-Amz-Credential': SCOPE})}", headers={"Host": "iam.amazonaws.com"}
    )


def by_post_with_another_address(url: str, parameters: dict[str, str]) -> Request:
    form = {**SIGNED, "Content-Type": "application/x-www-form-urlencoded"}
    return Request(f"{url}/?Action=ListRoles&Version=2010-05-08", data=urlencode(parameters).encode(), headers=form)


CREATE = {"Action": "CreateRole", "Version": "2010-05-08", "RoleName": "R", "AssumeRolePolicyDocument": trust()}


@pytest.mark.parametrize("send", [by_get, signed_in_the_address, by_post_with_another_address])
def test_parameters_are_checked_and_noted_wherever_they_stand(sandbox: Sandbox, send: Send) -> None:
    with pytest.raises(HTTPError) as caught:
        urlopen(send(sandbox.url, {**CREATE, "RoleName": "a b"}))
    assert (caught.value.code, b"ValidationError" in caught.value.read()) == (400, True)
    assert sandbox.recorder.take() == [Call(DEV, "iam", "CreateRole", 400)]


def test_a_call_by_get_has_its_effect(sandbox: Sandbox) -> None:
    with urlopen(by_get(sandbox.url, CREATE)) as answer:
        assert answer.status == 200
    assert sandbox.recorder.take() == [Call(DEV, "iam", "CreateRole", 200)]
    assert len(iam_of(sandbox, DEV).list_roles()["Roles"]) == 1


@pytest.mark.parametrize("page", [{"MaxItems": "1"}, {}])
def test_a_list_by_get_comes_in_pages_too(sandbox: Sandbox, page: dict[str, str]) -> None:
    for name in ("a", "b"):
        iam_of(sandbox, DEV).create_group(GroupName=name)
    with urlopen(by_get(sandbox.url, {"Action": "ListGroups", "Version": "2010-05-08", **page})) as answer:
        assert answer.read().count(b"<GroupName>") == (1 if page else 2)


def test_an_unsigned_call_of_sts_is_checked_and_noted(scenario: Scenario, sandbox: Sandbox) -> None:
    sts: Any = boto3.client(
        "sts", endpoint_url=sandbox.url, region_name="us-east-1", config=Config(signature_version=UNSIGNED)
    )
    call = {"RoleArn": f"arn:aws:iam::{STORAGE}:role/xgrant-reconciler", "WebIdentityToken": "token"}
    refused("ValidationError", 400, lambda: sts.assume_role_with_web_identity(**call, RoleSessionName="a b"))
    sandbox.enforce(on=True)
    refused("AccessDenied", 403, lambda: sts.assume_role_with_web_identity(**call, RoleSessionName="session"))
    noted = [Call(STORAGE, "sts", "AssumeRoleWithWebIdentity", status) for status in (400, 403)]
    assert sandbox.recorder.take() == noted
