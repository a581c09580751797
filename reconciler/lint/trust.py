"""Guardrails of who may use a grant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.lint.rule import Breach, Rule, Seen
from reconciler.model import Account, Grant, Level, PrincipalKind, Spot
from reconciler.policy.arn import covers
from reconciler.policy.canonical import canonical_key
from reconciler.policy.case import fold
from reconciler.policy.subjects import lets_in

_WHO = ("aws:principalarn", "aws:principaltag", "aws:userid", "aws:username", "aws:principalorgpaths", "sts:externalid")
"""What says who of an account it is; of `aws:principaltag` any tag."""

_FOUR_HOURS = 4 * 3600
_POSITIVE = ("stringequals", "stringlike", "stringequalsignorecase", "arnequals", "arnlike")


def _keys(grant: Grant) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield operator, key and values of each trust condition, as they are spelt."""
    for operator, keys in grant.conditions.items():
        for key, values in keys.items():
            yield operator, key, values


def _spot(operator: str, key: str) -> Spot:
    return Spot(("trust_conditions", operator, key))


def base(operator: str) -> str:
    """Return a condition operator in lower case, without what stands before and behind it."""
    return fold(operator).rsplit(":", 1)[-1].removesuffix("ifexists")


def demanded(operator: str) -> bool:
    """Return whether a condition under this operator is not met by a request without the key."""
    folded = fold(operator)
    return not folded.endswith("ifexists") and not folded.startswith("forallvalues:") and "not" not in folded


def _narrows(grant: Grant) -> bool:
    return any(
        canonical_key(key).split("/", 1)[0] in _WHO and demanded(operator) and base(operator) in _POSITIVE
        for operator, key, _ in _keys(grant)
    )


def third_parties(grant: Grant, seen: Seen) -> tuple[Account, ...]:
    """Return the source accounts that somebody else owns: not managed here, and not held to be of the organization."""
    if any(fold(key) in ("aws:principalorgid", "aws:principalorgpaths") for _, key, _ in _keys(grant)):
        return ()
    return tuple(account for account in seen.sources(grant) if not account.managed and not account.listed)


def _whole_account(grant: Grant, _: Seen) -> Iterator[Breach]:
    if _narrows(grant):
        return
    names = [p.account for p in grant.principals if p.kind is PrincipalKind.ACCOUNT]
    if names:
        message = f"whoever {', '.join(names)} lets assume roles may use this one, also who comes there later"
        yield Breach(message, Spot(("from", "entire_account")))


def _external_id(grant: Grant, seen: Seen) -> Iterator[Breach]:
    if any(fold(key) == "sts:externalid" and demanded(operator) for operator, key, _ in _keys(grant)):
        return
    if parties := third_parties(grant, seen):
        yield Breach(
            f"{', '.join(account.name for account in parties)} is somebody else's, and no external id is demanded",
            Spot(("from", "account")),
        )


def _no_end(grant: Grant, seen: Seen) -> Iterator[Breach]:
    if grant.expires is None and (parties := third_parties(grant, seen)):
        names = ", ".join(account.name for account in parties)
        yield Breach(f"{names} is somebody else's, and the grant has no end", Spot(("from", "account")))


def _wildcard_principal(grant: Grant, seen: Seen) -> Iterator[Breach]:
    for operator, key, values in _keys(grant):
        if canonical_key(key) != "aws:principalarn" or base(operator) not in _POSITIVE:
            continue
        for value in values:
            if all(_could_be_anybody(value, account) for account in seen.sources(grant) or (_ANY,)):
                message = f"{value} is met by every principal, so it says nothing of who may come"
                yield Breach(message, _spot(operator, key))


_ANY = Account("any", "000000000000")


def _could_be_anybody(pattern: str, account: Account) -> bool:
    """Return whether an ARN pattern is met by any user or any role of an account, whatever its name."""
    head = f"arn:{account.partition}:iam::{account.id}"
    return all(covers(pattern, f"{head}:{kind}/{name}") for kind in ("user", "role") for name in ("a", "zz/zzz.Z9"))


def _subject(grant: Grant, _: Seen) -> Iterator[Breach]:
    if grant.web_identity is not None:
        for subject in grant.web_identity.subjects:
            if whom := lets_in(grant.web_identity.provider, subject):
                yield Breach(f"{whom} may use the grant", Spot(("from", "oidc", "subject", subject)))


def _long_session(grant: Grant, _: Seen) -> Iterator[Breach]:
    if grant.max_session_duration > _FOUR_HOURS:
        hours = grant.max_session_duration / 3600
        yield Breach(
            f"a session lasts up to {hours:g}h, and goes on after its caller has lost the grant",
            Spot(("session", "max_duration")),
        )


def _no_description(grant: Grant, _: Seen) -> Iterator[Breach]:
    if not grant.description.strip():
        yield Breach("nothing says what the grant is for")


_OWNERS = frozenset({"owner", "owners", "team", "contact"})


def _no_owner(grant: Grant, _: Seen) -> Iterator[Breach]:
    if not has_owner(grant.tags):
        yield Breach("no tag says who answers for the role", Spot(("tags",)))


def has_owner(tags: Mapping[str, str]) -> bool:
    """Return whether a tag says who answers for a thing: its key, or the last part of it, is one of a few words."""
    return any(value and fold(key.replace("/", ":").rsplit(":", 1)[-1]) in _OWNERS for key, value in tags.items())


RULES = (
    Rule(
        "XG101", Level.WARN, "a whole account is trusted",
        "The other account alone decides who gets in, and nothing here shows whom it let in.",
        "name users, groups, roles or permission_sets in `from`, or narrow it: trust_conditions on aws:PrincipalArn, "
        "aws:PrincipalTag or sts:ExternalId",
        "IAM user guide, IAM JSON policy elements: Principal (AWS account principals)",
        "It is how AWS's own guide delegates to an account, and right where that account manages its people itself.",
        of_grant=_whole_account,
    ),
    Rule(
        "XG102", Level.WARN, "a third party without an external id",
        "A party that works for many can be made by another of its customers to use its access to you (the confused "
        "deputy).",
        "agree on an id with them: require: {external_id: ...}; of the same organization: require: {source_org: ...}",
        "IAM user guide, Access to AWS accounts owned by third parties; The confused deputy problem",
        "That an account is not managed here does not make it a stranger's, so the manifest cannot tell for certain.",
        of_grant=_external_id,
    ),
    Rule(
        "XG103", Level.DENY, "a wildcard for a principal",
        "A condition that everybody meets looks like a restriction and is none: whoever has an AWS account gets in.",
        "write whom you mean: an ARN with the name, or a pattern that holds fast to a path",
        "IAM user guide, IAM JSON policy elements: Principal (all principals)",
        "It never says what its author meant.",
        of_grant=_wildcard_principal,
    ),
    Rule(
        "XG112", Level.WARN, "sessions of more than four hours",
        "Who has lost a grant keeps the session that they have; the longer it lasts, the longer stolen keys work.",
        "write session: {max_duration: 4h} or less; tools renew sessions by themselves",
        "IAM user guide, Revoke IAM role temporary security credentials",
        "A job that runs longer needs it.",
        of_grant=_long_session,
    ),
    Rule(
        "XG113", Level.ADVICE, "a third party without an end",
        "Contracts end, and what was opened for them stays until somebody remembers.",
        "write the day on which it is to be looked at again: expires: 2027-06-30T00:00:00Z",
        "AWS Well-Architected, Security Pillar: reduce permissions continuously; docs/ending.md",
        "There may be no end that is known.",
        of_grant=_no_end,
    ),
    Rule(
        "XG114", Level.ADVICE, "no description",
        "Whoever finds the role in AWS, or reviews the grant in a year, does not know what it is for.",
        "write a `description` of one line",
        "IAM API Reference, CreateRole: Description",
        "It opens nothing.",
        of_grant=_no_description,
    ),
    Rule(
        "XG115", Level.ADVICE, "no owner",
        "When the role is misused or no longer needed, nobody knows whom to ask.",
        "add a tag `owner`, `team` or `contact` to `tags`, or to `defaults` for all grants",
        "AWS whitepaper, Best Practices for Tagging AWS Resources: tags for ownership",
        "It opens nothing.",
        of_grant=_no_owner,
    ),
    Rule(
        "XG116", Level.WARN, "a subject that lets in more than one branch or environment",
        "Whoever may push a branch, or open a pull request, to the repository has a job with such a subject.",
        "name the branch or the environment: repo:acme/site:environment:production",
        "GitHub docs, Security hardening with OpenID Connect",
        "Jobs that only read may be of any branch. What lets in any repository is an error of the manifest (XG050); of "
        "what a plan changes, XG233 says the same.",
        of_grant=_subject, in_plan=False,
    ),
)  # fmt: skip
"""The guardrails of this file."""
