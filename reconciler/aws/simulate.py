"""What AWS's own simulator says of the policies of a user, group or role, and who is in which group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from reconciler.aws.errors import aws_errors
from reconciler.aws.sessions import Connections
from reconciler.model import CURRENT_TIME, Account, Decision

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient

_DENIED = "allow iam:SimulatePrincipalPolicy to the identity that xgrant uses in this account"


class Simulator:
    """Asks IAM in the accounts of a run. Safe for threads."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def simulate(
        self, account: Account, arn: str, actions: Sequence[str], resource: str, context: Mapping[str, str]
    ) -> dict[str, Decision]:
        """Return by action what the policies of a user, group or role of an account decide of it on a resource.

        `context` are condition keys with what the request has of them; all others count as absent.

        Raises:
            AwsError: the account cannot be reached, it may not be asked, or what the ARN names is not there.

        """
        entries: list[Any] = [
            {"ContextKeyName": key, "ContextKeyValues": [value], "ContextKeyType": _type_of(key, value)}
            for key, value in context.items()
        ]

        def ask(iam: IAMClient) -> dict[str, Decision]:
            with aws_errors(account.name, "SimulatePrincipalPolicy", denied=_DENIED):
                pages = iam.get_paginator("simulate_principal_policy").paginate(
                    PolicySourceArn=arn, ActionNames=list(actions), ResourceArns=[resource], ContextEntries=entries
                )
                found = [result for page in pages for result in page["EvaluationResults"]]
            return {result["EvalActionName"]: Decision(result["EvalDecision"]) for result in found}

        return self._connections.once_more(account, ask)

    def groups_of(self, account: Account, user: str) -> frozenset[str]:
        """Return the groups of an IAM user; AwsError where that cannot be read."""

        def ask(iam: IAMClient) -> frozenset[str]:
            with aws_errors(account.name, "GetAccountAuthorizationDetails"):
                pages = iam.get_paginator("get_account_authorization_details").paginate(
                    Filter=["User"], PaginationConfig={"PageSize": 1000}
                )
                users = (one for page in pages for one in page["UserDetailList"])
                return frozenset(
                    group for one in users if one["UserName"] == user for group in one.get("GroupList", ())
                )

        return self._connections.once_more(account, ask)


def _type_of(key: str, value: str) -> str:
    return "date" if key == CURRENT_TIME else "boolean" if value in ("true", "false") else "string"
