"""Asks IAM Access Analyzer about policy documents; the documents are all that it needs (facts sheet 9)."""

from __future__ import annotations

from typing import Any

from reconciler.aws.errors import aws_errors
from reconciler.aws.sessions import Connections
from reconciler.model import Account
from reconciler.policy.document import PolicyDocument
from reconciler.ports import Opinion

_DENIED = "allow access-analyzer:ValidatePolicy and access-analyzer:CheckNoNewAccess to the identity that is used there"
_TRUST = {"policyType": "RESOURCE_POLICY", "validatePolicyResourceType": "AWS::IAM::AssumeRolePolicyDocument"}
_PAGE = 100


class AwsAnalyzer:
    """See `ports.Analyzer`. Safe for threads."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def validate(self, account: Account, document: PolicyDocument, *, trust: bool) -> tuple[Opinion, ...]:
        """Return what ValidatePolicy says of a document; see `ports.Analyzer`."""
        kind = _TRUST if trust else {"policyType": "IDENTITY_POLICY"}
        with (
            self._connections.analyzer(account) as client,
            aws_errors(account.name, "ValidatePolicy", denied=_DENIED),
        ):
            pages = client.get_paginator("validate_policy").paginate(
                policyDocument=document.written, PaginationConfig={"PageSize": _PAGE}, **kind
            )
            return tuple(_opinion(raw) for page in pages for raw in page["findings"])

    def new_access(
        self, account: Account, new: PolicyDocument, existing: PolicyDocument, *, trust: bool
    ) -> tuple[str, ...]:
        """Return what CheckNoNewAccess says against a document; see `ports.Analyzer`."""
        kind = _TRUST["policyType"] if trust else "IDENTITY_POLICY"
        with (
            self._connections.analyzer(account) as client,
            aws_errors(account.name, "CheckNoNewAccess", denied=_DENIED),
        ):
            found = client.check_no_new_access(
                newPolicyDocument=new.written, existingPolicyDocument=existing.written, policyType=kind
            )
        if found["result"] == "PASS":
            return ()
        reasons = tuple(raw.get("description", "") for raw in found.get("reasons", ()))
        return tuple(filter(None, reasons)) or (found.get("message", "the document may allow more"),)


def _opinion(raw: dict[str, Any]) -> Opinion:
    path = raw["locations"][0]["path"] if raw.get("locations") else []
    keys = [next(iter(element.values())) for element in path]
    statement = next((keys[at + 1] for at, key in enumerate(keys[:-1]) if key == "Statement"), None)
    element = next((key for key in keys if isinstance(key, str) and key != "Statement"), "")
    return Opinion(
        raw["findingType"], raw["issueCode"], raw["findingDetails"], raw["learnMoreLink"],
        statement if isinstance(statement, int) else 0, element,
    )  # fmt: skip
