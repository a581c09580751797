"""Guardrails of who may use a grant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from reconciler.lint.rule import Breach, Rule, Seen
from reconciler.model import Account, Grant, Level, PrincipalKind, Spot
from reconciler.policy.case import fold
from reconciler.policy.demands import NAMES, demands, narrowed, on
from reconciler.policy.subjects import lets_in

_WHO = ("aws:principaltag", "aws:userid", "aws:username", "aws:principalorgpaths")
"""What says who of an account it is, beside aws:PrincipalArn; of `aws:principaltag` any tag."""

_EXTERNAL_ID = "sts:externalid"

_LONG_ENOUGH = 12
"""Characters of an external id. AWS takes 2 to 1,224 and asks for no more: the number is a judgement of xgrant."""

_FOUR_HOURS = 4 * 3600
_POSITIVE = ("stringequals", "stringlike", "stringequalsignorecase", "arnequals", "arnlike")


def _spot(operator: str, key: str) -> Spot:
    return Spot(("trust_conditions", operator, key))


def _narrows(grant: Grant, accounts: Iterable[Account], *keys: str) -> bool:
    """Return whether the conditions say who of the accounts is let in, and not any user or any role of them."""
    every = [_anybody(account, kind) for account in accounts for kind in ("user", "role")]
    return narrowed(grant.conditions, on("aws:principalarn"), *every) or narrowed(grant.conditions, on(*keys))


def third_parties(grant: Grant, seen: Seen) -> tuple[Account, ...]:
    """Return the source accounts that somebody else owns: not managed here, and not held to be of the organization."""
    if narrowed(grant.conditions, on("aws:principalorgid", "aws:principalorgpaths")):
        return ()
    return tuple(account for account in seen.sources(grant) if not account.managed and not account.listed)


def _whole_account(grant: Grant, seen: Seen) -> Iterator[Breach]:
    whole = [p.account for p in grant.principals if p.kind is PrincipalKind.ACCOUNT]
    if whole and not _narrows(grant, seen.sources(grant), *_WHO, _EXTERNAL_ID):
        message = f"whoever {', '.join(whole)} lets assume roles may use this one, also who comes there later"
        yield Breach(message, Spot(("from", "entire_account")))
    # Xgrant writes the caller policy of a group; in an account that is not managed that is for its owner to do. An
    # external id does not say who of the account comes.
    groups = [p for p in grant.principals if p.kind is PrincipalKind.GROUP]
    open_to = {p.account: p.name for p in groups if not seen.manifest.accounts[p.account].managed}
    if open_to and not _narrows(grant, seen.sources(grant), *_WHO):
        message = (
            f"a trust policy cannot name the group {', '.join(open_to.values())}, so whoever {', '.join(open_to)} lets "
            "assume roles may use this one"
        )
        yield Breach(message, Spot(("from", "groups")))


def _external_id(grant: Grant, seen: Seen) -> Iterator[Breach]:
    if narrowed(grant.conditions, on(_EXTERNAL_ID)):
        return
    if parties := third_parties(grant, seen):
        yield Breach(
            f"{', '.join(account.name for account in parties)} is somebody else's, and no external id is demanded",
            Spot(("from", "account")),
        )


def _short_external_id(grant: Grant, _: Seen) -> Iterator[Breach]:
    ids = [
        value for one in demands(grant.conditions) if one.name == _EXTERNAL_ID and one.names() for value in one.values
    ]
    # How short it is, is not told: that is a part of it.
    if any(len(value) < _LONG_ENOUGH for value in ids):
        yield Breach(
            f"an external id has fewer than {_LONG_ENOUGH} characters, so it can be guessed",
            Spot(("require", "external_id")),
        )


def _no_end(grant: Grant, seen: Seen) -> Iterator[Breach]:
    if grant.expires is None and (parties := third_parties(grant, seen)):
        names = ", ".join(account.name for account in parties)
        yield Breach(f"{names} is somebody else's, and the grant has no end", Spot(("from", "account")))


def _wildcard_principal(grant: Grant, seen: Seen) -> Iterator[Breach]:
    accounts = seen.sources(grant) or (_ANY,)
    for one in demands(grant.conditions):
        if one.name != "aws:principalarn" or one.kind not in _POSITIVE:
            continue
        if all(one.fits(arn) for account in accounts for kind in ("user", "role") for arn in _anybody(account, kind)):
            what = f"{one.values[0]} is" if len(one.values) == 1 else f"{', '.join(one.values)} together are"
            message = f"{what} met by every principal, so it says nothing of who may come"
            yield Breach(message, _spot(one.operator, one.key))


_ANY = Account("any", "000000000000")


def _anybody(account: Account, kind: str) -> tuple[str, ...]:
    """Return the ARNs of users, or of roles, of an account, that have nothing in common but that."""
    return tuple(f"arn:{account.partition}:iam::{account.id}:{kind}/{name}" for name in ("a", "zz/zzz.Z9", *NAMES))


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
        "Jobs that only read may be of any branch. What lets in any repository is an error of the manifest (XG050).",
        of_grant=_subject,
    ),
    Rule(
        "XG126", Level.ADVICE, "a short external id",
        "Whoever sees a digest of it, as plan files have, or may ask AWS often can try all short ones.",
        "let the two sides agree on a long one that means nothing, as `xgrant rotate` makes them: 32 random characters",
        "IAM user guide, Access to AWS accounts owned by third parties (an id of one customer only); IAM and STS "
        "quotas: 2 to 1,224 characters",
        "AWS asks for 2 characters only; 12 is a judgement of xgrant. An external id is no password.",
        of_grant=_short_external_id,
    ),
)  # fmt: skip
"""The guardrails of this file."""
