"""Callers with a token of an OpenID Connect provider: how a trust policy names them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.policy.conditions import Conditions
from reconciler.policy.document import PolicyDocument
from reconciler.policy.subjects import of_jobs

ACTION = "sts:AssumeRoleWithWebIdentity"

GITHUB_AUDIENCE = "sts.amazonaws.com"
"""What GitHub's own action asks a token for (facts sheet 7)."""

_BUILT_IN = ("accounts.google.com", "cognito-identity.amazonaws.com", "graph.facebook.com", "www.amazon.com")
_ARN = re.compile(r"arn:[a-z-]+:iam::(\d{12}):oidc-provider/(.+)")
_WILDCARD = re.compile(r"[*?]")


def provider_arn(partition: str, account_id: str, provider: str) -> str:
    """Return the ARN of a provider in an account (facts sheet 1.5)."""
    return f"arn:{partition}:iam::{account_id}:oidc-provider/{provider}"


def provider_error(provider: str) -> str | None:
    """Say why callers of a provider cannot be trusted so, or None."""
    if provider in _BUILT_IN:
        # IAM user guide, "Create a role for OpenID Connect federation": their users are anybody.
        return f"{provider} is built into AWS and is for the users of applications; no role of xgrant trusts it"
    return None


def audience_error(audience: str) -> str | None:
    """Say why a text cannot be an audience, or None: it is compared as it stands."""
    if "*" in audience or "${" in audience:
        return "an audience has no wildcards and no variables of IAM in it"
    return None


def condition(provider: str, audiences: tuple[str, ...], subjects: tuple[str, ...]) -> Conditions:
    """Return the condition block that lets in whoever has a token with one of the audiences and one of the subjects.

    All subjects stand under one operator: IAM demands all operators to be met, and one of the values of each.
    """
    like = any(_WILDCARD.search(subject) for subject in subjects)
    block: dict[str, dict[str, tuple[str, ...]]] = {"StringEquals": {f"{provider}:aud": audiences}}
    block.setdefault("StringLike" if like else "StringEquals", {})[f"{provider}:sub"] = subjects
    return block


def trusted_providers(trust_policy: PolicyDocument) -> frozenset[str]:
    """Return the ARNs of the OpenID Connect providers that a trust policy names."""
    named = (_federated(statement) for statement in trust_policy.statements())
    return frozenset(arn for arns in named for arn in arns if _ARN.fullmatch(arn))


def trusted_subjects(trust_policy: PolicyDocument) -> Iterator[tuple[str, str]]:
    """Yield the subjects that a trust policy lets in, in order, each with the provider."""
    for statement in trust_policy.statements():
        if statement.get("Effect") == "Allow":
            for provider in _providers(statement):
                for keys in statement.get("Condition", {}).values():
                    for key, values in keys.items():
                        if key.endswith(":sub"):
                            yield from ((provider, value) for value in values)


def trusts_jobs(trust_policy: PolicyDocument) -> bool:
    """Return whether a trust policy lets in jobs of GitHub or GitLab, by the provider or by what its subjects say."""
    providers = (provider for statement in trust_policy.statements() for provider in _providers(statement))
    return any(of_jobs(*one) for one in (*((provider, "") for provider in providers), *trusted_subjects(trust_policy)))


def provider_of(arn: str, account_id: str) -> str | None:
    """Return the provider that an ARN names in an account; None if it names anything else."""
    match = _ARN.fullmatch(arn)
    return match.group(2) if match and match.group(1) == account_id else None


def _providers(statement: Mapping[str, Any]) -> list[str]:
    return [match.group(2) for arn in _federated(statement) if (match := _ARN.fullmatch(arn))]


def _federated(statement: Mapping[str, Any]) -> list[str]:
    principal = statement.get("Principal")
    return list(principal.get("Federated", [])) if isinstance(principal, dict) else []
