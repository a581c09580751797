"""What the tests of the strict AWS share: raw clients without retries, documents of a size, and `refused`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from reconciler.sandbox.server import Sandbox
from tests.support import DEV, STORAGE

ROOT = f"arn:aws:iam::{DEV}:root"
Code = tuple[str, int]


def iam_of(sandbox: Sandbox, account: str = STORAGE) -> Any:
    """Return a client that never tries twice and sends whatever it is given."""
    client = boto3.client(
        "iam",
        endpoint_url=sandbox.url,
        region_name="us-east-1",
        aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox",
        config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
    )
    client.meta.events.register(
        "before-call", lambda params, **_: params["headers"].update({"x-moto-account-id": account})
    )
    return client


def refused(code: str, status: int, call: Callable[[], object]) -> str:
    """Assert that AWS refuses the call with this code and status; return its message."""
    with pytest.raises(ClientError) as caught:
        call()
    answer = caught.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)
    return answer["Error"]["Message"]


def trust(principal: Any = ROOT, **more: Any) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "sts:AssumeRole", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def policy(**more: Any) -> str:
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def policy_of_size(size: int) -> str:
    """Return a policy of so many characters without white space."""
    empty = "".join(policy(Resource="arn:aws:s3:::").split())
    return policy(Resource="arn:aws:s3:::" + "x" * (size - len(empty)))


def trust_of_size(size: int) -> str:
    condition = {"StringEquals": {"sts:ExternalId": ""}}
    empty = "".join(trust(Condition=condition).split())
    return trust(Condition={"StringEquals": {"sts:ExternalId": "x" * (size - len(empty))}})
