"""Who may assume a role by its trust policy (facts sheet 4.4, 6); moto checks only the caller's own policies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from moto.sts.models import sts_backends

from reconciler.policy.case import fold
from reconciler.policy.document import listed
from reconciler.sandbox.sessions import dates_hold, issued_at, without_dates
from reconciler.sandbox.strict import accounts, identity, names
from reconciler.sandbox.strict.conditions import like, met
from reconciler.sandbox.strict.documents import readable
from reconciler.sandbox.strict.principals import aws_principals, statements
from reconciler.sandbox.strict.wire import RefusedError, Request

_CHAINED = 3600
"""The session of who asks for no length, and the longest that a role's session gets of another role, in seconds."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the ARN of the user or session, the ARN and unique id of the user or role behind it."""

    arn: str
    entity_arn: str
    entity_id: str
    account: str
    devices: Mapping[str, Any] = field(default_factory=dict)
    mfa: bool = False


def check_duration(request: Request) -> None:
    """Refuse a session that is longer than its role allows, or than a role's session gets of another (1.4).

    Raises:
        RefusedError: ValidationError, 400.

    """
    if not request.operation.startswith("AssumeRole"):
        return
    names.check_duration(request, "DurationSeconds", 900)
    seconds = int(request.get("DurationSeconds") or _CHAINED)
    if seconds > _CHAINED and _session(request) is not None:
        raise RefusedError(
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
        )
    role = accounts.principal_with_arn(request.get("RoleArn") or "")
    # moto keeps the number as it was sent.
    if role is not None and seconds > int(role.max_session_duration or _CHAINED):
        raise RefusedError(
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
        )


def check_trust(request: Request) -> None:
    """Refuse AssumeRole where the role's trust policy does not allow the caller.

    A condition on a key that is not understood here never allows, and always denies. Nobody in the sandbox has an
    identity provider, so that what is assumed by one is denied too.

    Raises:
        RefusedError: AccessDenied, 403.

    """
    if request.operation in ("AssumeRoleWithWebIdentity", "AssumeRoleWithSAML"):
        raise RefusedError("AccessDenied", f"Not authorized to perform sts:{request.operation}")
    if request.operation != "AssumeRole":
        return
    caller = caller_of(request)
    if caller is None:
        return  # moto refuses an access key that it does not know
    caller = replace(caller, mfa=_device_answers(caller, request))
    arn = request.get("RoleArn") or ""
    role = accounts.principal_with_arn(arn)
    action = "sts:AssumeRole" if role is None else _denied(role, caller, request) or _further(caller, request)
    if action is not None:
        raise RefusedError(
            "AccessDenied", f"User: {caller.arn} is not authorized to perform: {action} on resource: {arn}"
        )


def who_asks(request: Request) -> Any | None:
    """Return the user or role that signs a request; None of a key that nobody has."""
    caller = caller_of(request)
    return None if caller is None else accounts.principal_with_arn(caller.entity_arn)


def caller_of(request: Request) -> Caller | None:
    """Return who asks; None of a key that nobody has."""
    session = _session(request)
    if session is not None:
        role = accounts.principal_with_arn(session.role_arn)
        return Caller(session.arn, session.role_arn, "" if role is None else role.id, request.account)
    for user in accounts.holders(request.account, "User").values():
        if any(key.access_key_id == request.access_key for key in user.access_keys):
            return Caller(user.arn, user.arn, user.id, request.account, user.mfa_devices)
    return None


def _device_answers(caller: Caller, request: Request) -> bool:
    """Return whether an MFA device of the user is in the request (facts sheet 6).

    Any code will do but the two that the device was enabled with, since each is good once.

    Raises:
        RefusedError: AccessDenied, 403: it is no device of the user, or the code is used up.

    """
    serial, code = request.get("SerialNumber"), request.get("TokenCode")
    if serial is None and code is None:
        return False
    device = caller.devices.get(serial or "")
    if device is None or code in (None, device.authentication_code_1, device.authentication_code_2):
        raise RefusedError("AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code.")
    return True


def _session(request: Request) -> Any | None:
    """Return the session of a role that asks, if it is one."""
    return sts_backends[request.account]["aws"].get_assumed_role_from_access_key(request.access_key)


def _denied(role: Any, caller: Caller, request: Request) -> str | None:
    """Return what a role's trust policy does not allow of what the request needs; None where it allows all."""
    document = readable(role.assume_role_policy_document)
    context = _context(caller, request)
    left = set(_actions_of(request))
    for statement in statements(document):
        deny = statement.get("Effect") == "Deny"
        concerned = {action for action in _actions_of(request) if _has_action(statement, action)}
        if not concerned or not _names(statement, caller):
            continue
        condition = statement.get("Condition", {})
        in_time = dates_hold(condition, issued_at(_session(request)))
        if in_time and met(without_dates(condition), context, unknown=deny):
            if deny:
                return min(concerned)
            left -= concerned
    return min(left, default=None)


def _actions_of(request: Request) -> tuple[str, ...]:
    """Return what has to be allowed: what is sent with the request needs more than AssumeRole (facts sheet 6)."""
    source_identity = ("sts:SetSourceIdentity",) if request.get("SourceIdentity") else ()
    return ("sts:AssumeRole", *source_identity, *(("sts:TagSession",) if request.tags() else ()))


def _has_action(statement: Mapping[str, Any], wanted: str) -> bool:
    return any(like(fold(wanted), fold(str(action))) for action in listed(statement.get("Action", [])))


def _names(statement: dict[str, Any], caller: Caller) -> bool:
    # A user or role is held by its id: a namesake of one that was deleted is somebody else.
    named = ("*", caller.account, f"arn:aws:iam::{caller.account}:root", caller.entity_id, caller.arn)
    return any(principal in named for principal in aws_principals(statement))


def _context(caller: Caller, request: Request) -> dict[str, str | None]:
    tags = {f"aws:requesttag/{fold(key)}": value for key, value in request.tags()}
    return {
        "sts:externalid": request.get("ExternalId"),
        "sts:rolesessionname": request.get("RoleSessionName"),
        "aws:principalarn": caller.entity_arn,
        "sts:sourceidentity": request.get("SourceIdentity"),
        "aws:multifactorauthpresent": "true" if caller.mfa else None,
        **tags,
    }


def _further(caller: Caller, request: Request) -> str | None:
    """Return what the caller's own policies do not allow beside AssumeRole, which moto checks."""
    entity = accounts.principal_with_arn(caller.entity_arn)
    arn, context = request.get("RoleArn") or "", _context(caller, request)
    return next(
        (
            action
            for action in _actions_of(request)[1:]
            if identity.decide(caller.account, entity, action, arn, context) != identity.ALLOWED
        ),
        None,
    )
