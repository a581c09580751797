"""Events in CloudTrail's documented shape (facts sheet 8.1), as both accounts get them."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

from tests.support import DEV, STORAGE

ROLE = f"arn:aws:iam::{STORAGE}:role/reader"
GITHUB = "token.actions.githubusercontent.com"
Record = dict[str, Any]

_numbers = itertools.count(1)


def user(name: str = "alice", account: str = DEV, *, mfa: bool | None = None) -> Record:
    """Return an IAM user with an access key; with `mfa` one with a session of GetSessionToken."""
    found: Record = {
        "type": "IAMUser", "principalId": f"AIDA{name.upper():X>16}", "arn": f"arn:aws:iam::{account}:user/{name}",
        "accountId": account, "accessKeyId": "AKIAEXAMPLE", "userName": name,
    }  # fmt: skip
    if mfa is not None:
        found["sessionContext"] = {
            "attributes": {"creationDate": "2026-01-01T00:00:00Z", "mfaAuthenticated": str(mfa).lower()}
        }
    return found


def session(role: str = "ci/deployer", name: str = "build-7", account: str = DEV) -> Record:
    """Return a session of a role, which assumes another: chained."""
    bare = role.rsplit("/", 1)[-1]
    unique = f"AROA{bare.upper().replace('_', ''):X>16}"[:64]
    return {
        "type": "AssumedRole", "principalId": f"{unique}:{name}", "accountId": account, "accessKeyId": "ASIAEXAMPLE",
        "arn": f"arn:aws:sts::{account}:assumed-role/{bare}/{name}",
        "sessionContext": {
            "sessionIssuer": {"type": "Role", "principalId": unique, "arn": f"arn:aws:iam::{account}:role/{role}",
                              "accountId": account, "userName": bare},
            "attributes": {"creationDate": "2026-01-01T00:00:00Z", "mfaAuthenticated": "false"},
        },
    }  # fmt: skip


def sso(permission_set: str = "DataEngineer", name: str = "eve@example.com", account: str = DEV) -> Record:
    """Return a session of the role of a permission set."""
    role = f"aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_{permission_set}_0123456789abcdef"
    return session(role, name, account)


def job(subject: str = "repo:acme/site:ref:refs/heads/main", provider: str = GITHUB, account: str = STORAGE) -> Record:
    """Return who has a token of an OpenID Connect provider."""
    arn = f"arn:aws:iam::{account}:oidc-provider/{provider}"
    return {"type": "WebIdentityUser", "principalId": f"{arn}:sts.amazonaws.com:{subject}", "userName": subject,
            "identityProvider": arn}  # fmt: skip


def service(name: str = "lambda.amazonaws.com") -> Record:
    return {"type": "AWSService", "invokedBy": name}


def assumed(
    who: Record, role: str = ROLE, time: str = "2026-01-15T10:00:00Z", *, ip: str = "203.0.113.7",
    session_name: str = "work", region: str = "us-east-1", device: str = "", external_id: str = "",
    role_id: str = "AROAREADERREADERXXXX", operation: str = "AssumeRole", source_identity: str = "",
) -> list[Record]:  # fmt: skip
    """Return what the accounts get of a session: the caller's copy first, if it has an account, and the target's."""
    _, _, _, _, owner, name = role.split(":")
    target = dict(_record(who, role, time, ip=ip, session_name=session_name, region=region, operation=operation))
    for key, value in (("serialNumber", device), ("externalId", external_id), ("sourceIdentity", source_identity)):
        if value:
            target["requestParameters"][key] = value
    target["responseElements"] = {
        "credentials": {"accessKeyId": "ASIANEW", "sessionToken": "...", "expiration": "Jan 15, 2026, 11:00:00 AM"},
        "assumedRoleUser": {
            "assumedRoleId": f"{role_id}:{session_name}",
            "arn": f"arn:aws:sts::{owner}:assumed-role/{name.rsplit('/', 1)[-1]}/{session_name}",
        },
    }
    target["resources"] = [{"ARN": role, "accountId": owner, "type": "AWS::IAM::Role"}]
    if operation == "AssumeRoleWithWebIdentity":
        target["responseElements"] |= {"subjectFromWebIdentityToken": who["userName"], "audience": "sts.amazonaws.com",
                                       "provider": who["identityProvider"]}  # fmt: skip
    target["recipientAccountId"] = owner
    if who.get("accountId", owner) == owner:
        return [target]
    target["sharedEventID"] = f"shared-{next(_numbers)}"
    mine = {**target, "eventID": f"event-{next(_numbers)}", "recipientAccountId": who["accountId"]}
    hidden = {"type": "AWSAccount", "principalId": who["principalId"], "accountId": who["accountId"]}
    return [mine, {**target, "userIdentity": hidden}]


def refused(
    who: Record, role: str = ROLE, time: str = "2026-01-15T10:00:00Z", *, code: str = "AccessDenied", message: str = "",
    with_request: bool = True, **more: Any,
) -> Record:  # fmt: skip
    """Return what the caller's account gets of an attempt that AWS refused; the target's gets nothing."""
    found = _record(who, role, time, **more)
    said = f"User: {who.get('arn', '')} is not authorized to perform: sts:AssumeRole on resource: {role}"
    if not with_request:
        found["requestParameters"] = None
    recipient = who.get("accountId", role.split(":")[4])
    return {
        **found,
        "errorCode": code,
        "errorMessage": message or said,
        "responseElements": None,
        "recipientAccountId": recipient,
    }


def _record(
    who: Record, role: str, time: str, *, ip: str = "203.0.113.7", session_name: str = "work",
    region: str = "us-east-1", operation: str = "AssumeRole",
) -> Record:  # fmt: skip
    return {
        "eventVersion": "1.08", "userIdentity": who, "eventTime": time, "eventSource": "sts.amazonaws.com",
        "eventName": operation, "awsRegion": region, "sourceIPAddress": ip, "userAgent": "aws-cli/2.22",
        "requestParameters": {"roleArn": role, "roleSessionName": session_name}, "requestID": f"request-{next(_numbers)}",
        "eventID": f"event-{next(_numbers)}", "readOnly": True, "eventType": "AwsApiCall", "managementEvent": True,
    }  # fmt: skip


def write_log(path: Path, records: list[Record]) -> Path:
    """Write a file as a trail does, without packing it."""
    path.write_text(json.dumps({"Records": records}), encoding="utf-8")
    return path
