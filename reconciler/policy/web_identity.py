"""Callers with a token of an OpenID Connect provider: how a trust policy names them, and which subjects are too wide.

A provider like GitHub's issues tokens to whoever asks; only the subject says whose job it is (facts sheet 7). So a
subject has to hold fast, before any wildcard, what only one repository can have.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.policy.conditions import Conditions
from reconciler.policy.document import PolicyDocument

ACTION = "sts:AssumeRoleWithWebIdentity"

GITHUB, GITLAB = "token.actions.githubusercontent.com", "gitlab.com"
GITHUB_AUDIENCE = "sts.amazonaws.com"
"""What GitHub's own action asks a token for (facts sheet 7)."""

_BUILT_IN = ("accounts.google.com", "cognito-identity.amazonaws.com", "graph.facebook.com", "www.amazon.com")
_ARN = re.compile(r"arn:[a-z-]+:iam::(\d{12}):oidc-provider/(.+)")
_WILDCARD = re.compile(r"[*?]")

# owner/repository, also with numbers behind an @ (facts sheet 7), or the number that GitHub gives a repository. Before
# it a template of one's own may have the owner, and nothing that an owner can word.
_GITHUB = re.compile(
    r"(?:repository_owner(?:_id)?:[^:]+:)*(?:(?:repo|repository):[^:/]+/[^:/]+|repository_id:[0-9]+)(?::|$)"
)
_GITLAB = re.compile(r"project_path:[^:/]+(?:/[^:/]+)+(?::|$)")
# Two whole parts, as in organization:acme:...
_ANY = re.compile(r"[^:/|]+[:/|]+[^:/|]+[:/|]")

_TOO_WIDE = "jobs of more than one {0} could meet this; name the {0}, without wildcards, like {1}"


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


def subject_error(provider: str, subject: str) -> str | None:
    """Say why a subject is too wide or can never be one, or None.

    Of GitHub's and GitLab's, and of any that looks like theirs, the repository or project has to stand before the first
    wildcard, whole. Of others the first two parts have to.
    """
    if "${" in subject:
        return "a subject has no variables of IAM in it: the caller has none of their values"
    if not _WILDCARD.sub("", subject).strip(":/|"):
        return "any token of the provider would do; say whose"
    host = provider.split("/", 1)[0]
    if host == GITHUB or (host != GITLAB and subject.startswith("repo:")):
        example = "repo:OWNER/REPOSITORY:ref:refs/heads/main"
        return None if _holds(_GITHUB, subject) else _TOO_WIDE.format("repository", example)
    if host == GITLAB or subject.startswith("project_path:"):
        example = "project_path:GROUP/PROJECT:ref_type:branch:ref:main"
        return None if _holds(_GITLAB, subject) else _TOO_WIDE.format("project", example)
    if _WILDCARD.search(subject) and not _holds(_ANY, subject):
        return "a wildcard may stand only behind two whole parts, like organization:acme:*; else whoever asks gets in"
    return None


def _holds(form: re.Pattern[str], subject: str) -> bool:
    """Return whether a subject has the form before its first wildcard, and no wildcard can make it longer."""
    head, *rest = _WILDCARD.split(subject, maxsplit=1)
    match = form.match(head)
    return match is not None and (not rest or match.group()[-1] in ":/|")


def any_ref(subject: str) -> str | None:
    """Return the repository or project of which any branch, tag, environment and pull request meets a subject."""
    for form in (_GITHUB, _GITLAB):
        match = form.match(subject)
        if match is not None and (rest := subject[match.end() :]) and not _WILDCARD.sub("", rest):
            return match.group().removesuffix(":")
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


def trusted_subjects(trust_policy: PolicyDocument) -> Iterator[str]:
    """Yield the subjects that a trust policy lets in, in order."""
    for statement in trust_policy.statements():
        if _federated(statement) and statement.get("Effect") == "Allow":
            for keys in statement.get("Condition", {}).values():
                for key, values in keys.items():
                    if key.endswith(":sub"):
                        yield from values


def trusts_jobs(trust_policy: PolicyDocument) -> bool:
    """Return whether a trust policy lets in jobs of GitHub or GitLab, by the provider or by what its subjects say."""
    hosts = {arn.split(":oidc-provider/", 1)[1].split("/", 1)[0] for arn in trusted_providers(trust_policy)}
    return bool(hosts & {GITHUB, GITLAB}) or any(
        subject.startswith(("repo:", "project_path:")) for subject in trusted_subjects(trust_policy)
    )


def provider_of(arn: str, account_id: str) -> str | None:
    """Return the provider that an ARN names in an account; None if it names anything else."""
    match = _ARN.fullmatch(arn)
    return match.group(2) if match and match.group(1) == account_id else None


def _federated(statement: Mapping[str, Any]) -> list[str]:
    principal = statement.get("Principal")
    return list(principal.get("Federated", [])) if isinstance(principal, dict) else []
