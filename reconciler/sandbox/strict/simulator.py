"""SimulatePrincipalPolicy, which moto does not have: what the policies of a user, group or role decide.

Trust policies, organizations and resource policies it does not look at (facts sheet 6).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from xml.sax.saxutils import escape

from reconciler.policy.case import fold
from reconciler.sandbox.strict import accounts, assume, identity
from reconciler.sandbox.strict.wire import NAMESPACE, RefusedError, Reply, Request

OPERATION = "SimulatePrincipalPolicy"


def answer(request: Request, *, enforcing: bool) -> Reply:
    """Answer a request; while permissions are enforced, of whoever may simulate.

    Raises:
        RefusedError: AccessDenied, 403; NoSuchEntity, 404; InvalidInput, 400.

    """
    if enforcing:
        _check_allowed(assume.who_asks(request), request)
    return _simulated(request)


def _check_allowed(caller: Any, request: Request) -> None:
    """Refuse who may not: moto, which checks all other calls, does not know this one."""
    source, action = request.get("PolicySourceArn") or "", f"iam:{OPERATION}"
    if caller is None or identity.decide(request.account, caller, action, source, {}) != identity.ALLOWED:
        raise RefusedError("AccessDenied", f"The caller is not authorized to perform: {action} on resource: {source}")


def _simulated(request: Request) -> Reply:
    arn = request.get("PolicySourceArn") or ""
    entity = _entity(arn)
    if entity is None or arn.split(":")[4] != request.account:
        raise RefusedError("NoSuchEntity", f"The entity {arn} cannot be found.")
    given = dict(_context(request))
    context = dict.fromkeys(identity.context_keys(request.account, entity)) | given
    lines: list[str] = []
    for action in request.members("ActionNames"):
        if set(action) & set("*?") or ":" not in action:
            raise RefusedError("InvalidInput", f"Invalid Entity Path. {action}")
        for resource in request.members("ResourceArns") or ["*"]:
            decision = identity.decide(request.account, entity, action, resource, context)
            lines += _member(action, resource, decision, sorted(key for key in context if context[key] is None))
    return Reply("200 OK", [("Content-Type", "text/xml")], _body(lines).encode())


def _entity(arn: str) -> Any | None:
    parts = arn.split(":")
    if len(parts) == 6 and parts[5].startswith("group/") and parts[4] in accounts.known_accounts():
        groups = accounts.holders(parts[4], "Group").values()
        return next((group for group in groups if group.arn == arn), None)
    return accounts.principal_with_arn(arn)


def _context(request: Request) -> Iterator[tuple[str, str]]:
    for name, key in request.parameters.items():
        if name.endswith(".ContextKeyName"):
            values = name.removesuffix("ContextKeyName") + "ContextKeyValues.member.1"
            yield fold(key), request.parameters.get(values, "")


def _member(action: str, resource: str, decision: str, missing: Iterable[str]) -> Iterator[str]:
    yield "<member>"
    yield f"<EvalActionName>{escape(action)}</EvalActionName><EvalResourceName>{escape(resource)}</EvalResourceName>"
    yield f"<EvalDecision>{decision}</EvalDecision><MatchedStatements/><MissingContextValues>"
    yield from (f"<member>{escape(key)}</member>" for key in missing)
    yield "</MissingContextValues></member>"


def _body(lines: Iterable[str]) -> str:
    return (
        f'<{OPERATION}Response xmlns="{NAMESPACE}"><{OPERATION}Result><IsTruncated>false</IsTruncated>'
        f"<EvaluationResults>{''.join(lines)}</EvaluationResults></{OPERATION}Result>"
        f"<ResponseMetadata><RequestId>strict</RequestId></ResponseMetadata></{OPERATION}Response>"
    )
