"""SimulatePrincipalPolicy, which moto does not have: what the policies of a user, group or role decide.

Trust policies, organizations and resource policies it does not look at (facts sheet 6).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from xml.sax.saxutils import escape

from reconciler.policy.case import fold
from reconciler.sandbox import moment
from reconciler.sandbox.strict import accounts, identity
from reconciler.sandbox.strict.authorize import check_allowed
from reconciler.sandbox.strict.callers import caller_of
from reconciler.sandbox.strict.evaluate import Asked
from reconciler.sandbox.strict.wire import NAMESPACE, RefusedError, Reply, Request

OPERATION = "SimulatePrincipalPolicy"


def answer(request: Request, *, enforcing: bool) -> Reply:
    """Answer a request; while permissions are enforced, of whoever may simulate.

    Raises:
        RefusedError: AccessDenied or InvalidClientTokenId, 403; NoSuchEntity, 404; InvalidInput, 400.

    """
    if enforcing:
        # moto, which checks the keys of all other calls, does not know this one.
        if caller_of(request) is None:
            raise RefusedError("InvalidClientTokenId", "The security token included in the request is invalid.")
        check_allowed(request, lambda _: None)
    return _simulated(request)


def _simulated(request: Request) -> Reply:
    arn = request.get("PolicySourceArn") or ""
    entity = _entity(arn)
    if entity is None or arn.split(":")[4] != request.account:
        raise RefusedError("NoSuchEntity", f"The entity {arn} cannot be found.")
    given = {"aws:currenttime": (str(moment.now()),), **dict(_context(request))}
    missing = sorted(identity.context_keys(request.account, entity) - set(given))
    lines: list[str] = []
    for action in request.members("ActionNames"):
        if set(action) & set("*?") or ":" not in action:
            raise RefusedError("InvalidInput", f"Invalid Entity Path. {action}")
        for resource in request.members("ResourceArns") or ["*"]:
            decision = identity.decided(request.account, entity, Asked(action, resource, given))
            lines += _member(action, resource, decision, missing)
    return Reply("200 OK", [("Content-Type", "text/xml")], _body(lines).encode())


def _entity(arn: str) -> Any | None:
    parts = arn.split(":")
    if len(parts) == 6 and parts[5].startswith("group/") and parts[4] in accounts.known_accounts():
        groups = accounts.holders(parts[4], "Group").values()
        return next((group for group in groups if group.arn == arn), None)
    return accounts.principal_with_arn(arn)


def _context(request: Request) -> Iterator[tuple[str, tuple[str, ...]]]:
    for name, key in request.parameters.items():
        if name.endswith(".ContextKeyName"):
            values = name.removesuffix("ContextKeyName") + "ContextKeyValues.member.1"
            yield fold(key), (request.parameters.get(values, ""),)


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
