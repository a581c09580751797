"""Access Analyzer's two calls about documents, as far as xgrant's tests need them: shapes and codes are AWS's.

Which findings there are is documented in the user guide ("Access Analyzer policy check reference"); a few of them are
found here, by much simpler means. CheckNoNewAccess compares names and patterns; AWS reasons about what they mean.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from reconciler.errors import PolicyError
from reconciler.policy.arn import covers
from reconciler.policy.case import fold
from reconciler.policy.document import PolicyDocument
from reconciler.sandbox.strict.wire import Environ, RefusedError, Reply, Request

_OPERATIONS = {"/policy/validation": "ValidatePolicy", "/policy/check-no-new-access": "CheckNoNewAccess"}
_LINK = "https://docs.aws.amazonaws.com/IAM/latest/UserGuide/access-analyzer-reference-policy-checks.html"
_STATUS = {"ThrottlingException": 429, "UnprocessableEntityException": 422, "InternalServerException": 500}
_CODES = {"Throttling": "ThrottlingException", "ServiceFailure": "InternalServerException"}
_DEFAULT_PAGE = 100


def read_call(environ: Environ, account: str, access_key: str) -> tuple[Request, Mapping[str, Any]]:
    """Return a call, and what it sends."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    sent: dict[str, Any] = json.loads(body or b"{}")
    for pair in filter(None, environ.get("QUERY_STRING", "").split("&")):
        name, _, value = pair.partition("=")
        sent[name] = value
    path = str(environ["PATH_INFO"])
    parameters = {name: str(value) for name, value in sent.items()}
    return Request(account, "access-analyzer", _OPERATIONS.get(path, path), parameters, access_key), sent


def answer(request: Request, sent: Mapping[str, Any]) -> Reply:
    """Return the answer to a call.

    Raises:
        RefusedError: it is none of the two, or what it sends is no policy.

    """
    match request.operation:
        case "ValidatePolicy":
            return _reply(_page([*_findings(_parsed(sent["policyDocument"]))], sent))
        case "CheckNoNewAccess":
            return _reply(_compared(_parsed(sent["newPolicyDocument"]), _parsed(sent["existingPolicyDocument"])))
    raise RefusedError("ValidationException", f"{request.operation} is not emulated")


def refused(error: RefusedError) -> Reply:
    """Return an error as a service with JSON sends it."""
    code = _CODES.get(error.code, error.code)
    headers = [("Content-Type", "application/json"), ("x-amzn-ErrorType", code)]
    return Reply(f"{_STATUS.get(code, 400)} {code}", headers, json.dumps({"message": error.message}).encode())


def _parsed(text: str) -> PolicyDocument:
    try:
        return PolicyDocument.parse(text)
    except PolicyError as error:
        raise RefusedError("ValidationException", str(error)) from error


def _reply(data: Mapping[str, Any]) -> Reply:
    return Reply("200 OK", [("Content-Type", "application/json")], json.dumps(data).encode())


def _page(findings: list[dict[str, Any]], sent: Mapping[str, Any]) -> dict[str, Any]:
    first, most = int(sent.get("nextToken", 0)), int(sent.get("maxResults", _DEFAULT_PAGE))
    rest = {"nextToken": str(first + most)} if len(findings) > first + most else {}
    return {"findings": findings[first : first + most], **rest}


def _findings(document: PolicyDocument) -> list[dict[str, Any]]:
    found = []
    for index, statement in enumerate(document.statements()):
        actions = [fold(action) for action in statement.get("Action", ())]
        resources = statement.get("Resource", ())
        if statement.get("Effect") == "Allow" and "iam:passrole" in actions and "*" in resources:
            details = "Using the iam:PassRole action with wildcards (*) in the resource can be overly permissive."
            found.append(_finding("SECURITY_WARNING", "PASS_ROLE_WITH_STAR_IN_RESOURCE", details, index, "Resource"))
        for action in statement.get("Action", ()):
            if action.partition(":")[2].startswith("Invalid"):
                details = f"The action {action} does not exist."
                found.append(_finding("ERROR", "INVALID_ACTION", details, index, "Action"))
            if action.endswith("*"):
                details = "Using wildcards in the action can be more than what is needed."
                found.append(_finding("SUGGESTION", "REDUNDANT_ACTION", details, index, "Action"))
    return found


def _finding(kind: str, code: str, details: str, statement: int, element: str) -> dict[str, Any]:
    span = {name: {"line": 1, "column": 0, "offset": 0} for name in ("start", "end")}
    path = [{"value": "Statement"}, {"index": statement}, {"value": element}]
    return {
        "findingType": kind, "issueCode": code, "findingDetails": details, "learnMoreLink": f"{_LINK}#{code.lower()}",
        "locations": [{"path": path, "span": span}],
    }  # fmt: skip


def _compared(new: PolicyDocument, existing: PolicyDocument) -> dict[str, Any]:
    allowed = [one for one in existing.statements() if one.get("Effect") == "Allow"]
    reasons = [
        {"description": f"New access in the statement with index: {index}.", "statementIndex": index}
        for index, statement in enumerate(new.statements())
        if statement.get("Effect") == "Allow" and not any(_covered(statement, one) for one in allowed)
    ]
    if not reasons:
        return {"result": "PASS", "message": "The modified permissions do not grant new access."}
    return {"result": "FAIL", "message": "The modified permissions grant new access.", "reasons": reasons}


def _covered(statement: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    if statement.get("Condition") != other.get("Condition") or not _principals(statement) <= _principals(other):
        return False
    return all(
        any(covers(fold(wider), fold(value)) for wider in other.get(element, ()))
        for element in ("Action", "Resource")
        for value in statement.get(element, ())
    )


def _principals(statement: Mapping[str, Any]) -> set[str]:
    principal = statement.get("Principal", {})
    return {"*"} if principal == "*" else {f"{kind} {name}" for kind, names in principal.items() for name in names}
