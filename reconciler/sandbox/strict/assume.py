"""Who may assume a role by its trust policy (facts sheet 4.4, 6); moto checks only the caller's own policies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reconciler.policy.case import fold
from reconciler.policy.document import listed
from reconciler.sandbox.strict import accounts, names
from reconciler.sandbox.strict.asked import of_session, session_actions
from reconciler.sandbox.strict.authorize import of_caller
from reconciler.sandbox.strict.callers import Caller, caller_of
from reconciler.sandbox.strict.documents import readable
from reconciler.sandbox.strict.evaluate import Context, like, met
from reconciler.sandbox.strict.federation import check_token
from reconciler.sandbox.strict.principals import aws_principals, statements
from reconciler.sandbox.strict.wire import RefusedError, Request

_CHAINED = 3600
"""The session of who asks for no length, and the longest that a role's session gets of another role, in seconds."""


def check_duration(request: Request) -> None:
    """Refuse a session that is longer than its role allows, or than a role's session gets of another (1.4).

    Raises:
        RefusedError: ValidationError, 400.

    """
    if not request.operation.startswith("AssumeRole"):
        return
    names.check_duration(request, "DurationSeconds", 900)
    seconds = int(request.get("DurationSeconds") or _CHAINED)
    caller = caller_of(request)
    if seconds > _CHAINED and caller is not None and caller.session is not None:
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

    A condition on a key that is not understood here never allows, and always denies. Nobody in the sandbox has a
    SAML provider.

    Raises:
        RefusedError: AccessDenied, 403.

    """
    if request.operation == "AssumeRoleWithWebIdentity":
        check_token(request)
    if request.operation == "AssumeRoleWithSAML":
        raise RefusedError("AccessDenied", f"Not authorized to perform sts:{request.operation}")
    if request.operation != "AssumeRole":
        return
    caller = caller_of(request)
    if caller is None:
        return  # moto refuses an access key that it does not know
    context = _context(caller, request, mfa=_device_answers(caller, request))
    arn = request.get("RoleArn") or ""
    role = accounts.principal_with_arn(arn)
    action = "sts:AssumeRole" if role is None else _denied(role, caller, request, context)
    if action is not None:
        raise RefusedError(
            "AccessDenied", f"User: {caller.arn} is not authorized to perform: {action} on resource: {arn}"
        )


def _device_answers(caller: Caller, request: Request) -> bool:
    """Return whether an MFA device of the user is in the request (facts sheet 6).

    Any code will do but the two that the device was enabled with, since each is good once.

    Raises:
        RefusedError: AccessDenied, 403: it is no device of the user, or the code is used up.

    """
    serial, code = request.get("SerialNumber"), request.get("TokenCode")
    if serial is None and code is None:
        return False
    device = getattr(caller.entity, "mfa_devices", {}).get(serial or "")
    if device is None or code in (None, device.authentication_code_1, device.authentication_code_2):
        raise RefusedError("AccessDenied", "MultiFactorAuthentication failed with invalid MFA one time pass code.")
    return True


def _denied(role: Any, caller: Caller, request: Request, context: Context) -> str | None:
    """Return what a role's trust policy does not allow of what the request needs; None where it allows all."""
    document = readable(role.assume_role_policy_document)
    left = set(session_actions(request))
    for statement in statements(document):
        deny = statement.get("Effect") == "Deny"
        concerned = {action for action in session_actions(request) if _has_action(statement, action)}
        if not concerned or not _names(statement, caller):
            continue
        if _met(statement.get("Condition", {}), context, unknown=deny):
            if deny:
                return min(concerned)
            left -= concerned
    return min(left, default=None)


def _has_action(statement: Mapping[str, Any], wanted: str) -> bool:
    return any(like(fold(wanted), fold(str(action))) for action in listed(statement.get("Action", [])))


def _names(statement: dict[str, Any], caller: Caller) -> bool:
    # A user or role is held by its id: a namesake of one that was deleted is somebody else.
    named = ("*", caller.account, f"arn:aws:iam::{caller.account}:root", caller.entity_id, caller.arn)
    return any(principal in named for principal in aws_principals(statement))


def _context(caller: Caller, request: Request, *, mfa: bool) -> Context:
    """Return the keys that are known here; those without a value are absent from the request."""
    absent = dict.fromkeys(("aws:principalorgid", "aws:tokenissuetime"), ())
    return {
        **absent, **of_caller(caller), **of_session(request), "aws:multifactorauthpresent": ("true",) if mfa else (),
    }  # fmt: skip


def _met(condition: Mapping[str, Mapping[str, Any]], context: Context, *, unknown: bool) -> bool:
    known = {
        operator: {key: wanted for key, wanted in block.items() if fold(key) in context}
        for operator, block in condition.items()
    }
    if known != condition and not unknown:
        return False
    return met(known, {key: values for key, values in context.items() if values}, unknown=unknown)
