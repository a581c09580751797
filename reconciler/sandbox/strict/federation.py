"""Who may assume a role by a token of an OpenID Connect provider (facts sheet 7). Nobody checks its signature here."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from reconciler.policy.document import listed
from reconciler.sandbox.strict import accounts
from reconciler.sandbox.strict.documents import readable
from reconciler.sandbox.strict.evaluate import Context, met
from reconciler.sandbox.strict.principals import statements
from reconciler.sandbox.strict.wire import RefusedError, Request

_ACTION = "sts:AssumeRoleWithWebIdentity"

_CLAIMS = ("aud", "azp", "amr", "sub")
OF_PROVIDERS: Mapping[str, tuple[str, ...]] = {
    "token.actions.githubusercontent.com": (
        "actor", "actor_id", "enterprise_id", "environment", "job_workflow_ref", "ref", "repository", "repository_id",
        "repository_owner_id", "workflow",
    ),
    "gitlab.com": (
        "namespace_id", "pipeline_source", "project_id", "ref_protected", "runner_environment", "user_access_level",
        "user_email", "user_id", "user_login",
    ),
}  # fmt: skip
"""Which claims beside those AWS has condition keys for, by the provider; a condition on another one is never met
(service authorization reference, STS, AssumeRoleWithWebIdentity)."""


def check_token(request: Request) -> None:
    """Refuse a token whose provider the account of the role does not have, or whose claims the role does not trust.

    Raises:
        RefusedError: AccessDenied, 403.

    """
    role = accounts.principal_with_arn(request.get("RoleArn") or "")
    claims = _claims(request.get("WebIdentityToken") or "")
    if role is None or claims is None or not _trusts(role, claims):
        raise RefusedError("AccessDenied", f"Not authorized to perform {_ACTION}")


def _claims(token: str) -> Mapping[str, Any] | None:
    """Return what a token says; None for what is none."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _trusts(role: Any, claims: Mapping[str, Any]) -> bool:
    host = str(claims.get("iss", "")).removeprefix("https://")
    provider = f"arn:aws:iam::{role.account_id}:oidc-provider/{host}"
    known = accounts.backend(role.account_id).open_id_providers.get(provider)
    if known is None or not {*map(str, listed(claims.get("aud", [])))} & {*known.client_id_list}:
        return False
    known_claims = (*_CLAIMS, *OF_PROVIDERS.get(host, ()))
    context: Context = {
        f"{host}:{name}".lower(): tuple(map(str, listed(claims[name]))) for name in known_claims if name in claims
    }
    answers = [
        statement["Effect"] == "Allow"
        for statement in statements(readable(role.assume_role_policy_document))
        if _ACTION in listed(statement.get("Action", []))
        and provider in listed(_federated(statement))
        and met(statement.get("Condition", {}), context, unknown=statement["Effect"] == "Deny")
    ]
    return bool(answers) and all(answers)


def _federated(statement: Mapping[str, Any]) -> Any:
    principal = statement.get("Principal")
    return principal.get("Federated", []) if isinstance(principal, dict) else []
