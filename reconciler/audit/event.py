"""CloudTrail's records of AssumeRole and its kin as values (facts sheet 8.1)."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.audit.fields import items, mapping, text, truth
from reconciler.audit.who import Who, WhoKind, who_of

OPERATIONS = ("AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity")
"""The operations of STS that give a session of a role."""

_SOURCE = "sts.amazonaws.com"
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d).*", re.DOTALL)
_ROLE = re.compile(r"arn:[a-z-]+:iam::(\d{12}):role/(?:[^\s:]*/)?([\w+=,.@-]+)", re.ASCII)
_SESSION = re.compile(r"arn:[a-z-]+:sts::(\d{12}):assumed-role/([\w+=,.@-]+)/.*", re.ASCII | re.DOTALL)

_MACHINE = re.compile("(?:md|ua|os|lang|m|cfg|exec-env|api|ft|Python|Linux|Darwin|Windows|Botocore)[/#]")
"""How the words begin that AWS's SDKs add to the name of a program."""


@dataclass(frozen=True, slots=True)
class AssumeRoleEvent:
    """A session that somebody got of a role, or was refused. `time` is UTC, as 2026-01-31T12:00:00Z.

    `id` is the same in all copies of an event: what CloudTrail calls sharedEventID, or eventID where there is no other
    copy. `account` and `role` are the role's account id and name; empty where the record does not say. `session` is
    what the session is called, `behind` the caller's own session or source identity, `role_id` the role's unique id.
    `mfa` and `external_id` say whether it was asked with one; None where this copy cannot tell. `error` is AWS's code,
    empty of a session.
    """

    id: str
    time: str
    account: str
    role: str
    who: Who
    session: str = ""
    behind: str = ""
    role_id: str = ""
    source_ip: str = ""
    user_agent: str = ""
    mfa: bool | None = None
    external_id: bool | None = None
    error: str = ""
    message: str = ""


def is_assume_role(record: Mapping[str, Any]) -> bool:
    """Return whether a record is one of those that `read_event` reads."""
    name = record.get("eventName") or record.get("eventname")
    return name in OPERATIONS and text(record, "eventSource") == _SOURCE


def time_of(record: Mapping[str, Any]) -> str:
    """Return when it was; empty where the record does not say."""
    found = _TIME.fullmatch(text(record, "eventTime"))
    return f"{found.group(1)}T{found.group(2)}Z" if found else ""


def role_of(record: Mapping[str, Any]) -> tuple[str, str]:
    """Return the account id and the name of the role; empty where the record does not say.

    A refused request may be left out of it; then only the message names the role.
    """
    stated = _ROLE.fullmatch(text(mapping(record, "requestParameters"), "roleArn"))
    if stated is None:
        assumed = mapping(mapping(record, "responseElements"), "assumedRoleUser")
        stated = _SESSION.fullmatch(text(assumed, "arn"))
    if stated is None:
        arns = (text(item, "ARN") for item in items(record, "resources"))
        stated = next(filter(None, map(_ROLE.fullmatch, arns)), None)
    if stated is None:
        stated = _ROLE.search(text(record, "errorMessage"))
    return (stated.group(1), stated.group(2)) if stated else ("", "")


def read_event(record: Mapping[str, Any]) -> AssumeRoleEvent | None:
    """Return what a record says; None where it lacks its time or its id, so that it cannot be counted."""
    request, response = mapping(record, "requestParameters"), mapping(record, "responseElements")
    key = text(record, "sharedEventID") or text(record, "eventID")
    time = time_of(record)
    if not key or not time:
        return None
    who, own_session = who_of(record, response)
    assumed = mapping(response, "assumedRoleUser")
    account, role = role_of(record)
    return AssumeRoleEvent(
        id=key,
        time=time,
        account=account,
        role=role,
        who=who,
        session=text(request, "roleSessionName"),
        behind=text(request, "sourceIdentity") or own_session,
        role_id=text(assumed, "assumedRoleId").partition(":")[0],
        source_ip=text(record, "sourceIPAddress"),
        user_agent=_program(text(record, "userAgent")),
        mfa=_mfa(record, request, who),
        external_id=bool(text(request, "externalId")) if request else None,
        error=text(record, "errorCode"),
        message=text(record, "errorMessage"),
    )


def _program(user_agent: str) -> str:
    """Return the program of what it calls itself, without what AWS's SDKs say of the machine and of how they are set.

    `aws-cli/2.15.0 md/awscrt#0.19 ua/2.0 os/linux cfg/retry-mode#standard` is `aws-cli/2.15.0`; a browser stays whole.
    """
    first, *words = user_agent.strip("[]").split(" ")
    if first.startswith("Mozilla/"):
        return user_agent
    return " ".join((first, *itertools.takewhile(lambda word: _MACHINE.match(word) is None, words)))


def _mfa(record: Mapping[str, Any], request: Mapping[str, Any], who: Who) -> bool | None:
    """Return whether the caller had MFA: a device in the request, or a session that was got with one.

    A user without a session and without a device has none. Of a caller that is hidden only the device can be seen.
    """
    if text(request, "serialNumber"):
        return True
    context = mapping(mapping(record, "userIdentity"), "sessionContext")
    stated = truth(mapping(context, "attributes"), "mfaAuthenticated")
    if stated is not None:
        return stated
    return False if who.kind is WhoKind.USER and request and not context else None
