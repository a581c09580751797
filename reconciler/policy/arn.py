"""ARNs and names of IAM, with the alphabets and lengths of the facts sheet 1.1 and 1.5."""

from __future__ import annotations

import re
import unicodedata

_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]+")
_PATH = re.compile(r"/|/(?:[A-Za-z0-9_+=,.@-]+/)+")
_ACTION = re.compile(r"\*|[A-Za-z0-9-]+:[A-Za-z0-9*?_-]+")
_RESOURCE = re.compile(r"arn:([a-z-]+|\*):([^:\s]+):([^:\s]*):[^:\s]*:(\S.*)")
_DATE_OPERATOR = re.compile("(?:ForA[a-z]+Values?:)?Date")
_DATE = re.compile(r"-?[0-9]+(?:-[0-9]{1,2}(?:-[0-9]{1,2}(?:[Tt][0-9:.,+Zz-]*)?)?)?")
_EXTERNAL_ID = re.compile(r"[A-Za-z0-9_+=,.@:/-]{2,1224}")
_POLICY = re.compile(r"arn:([a-z-]+):iam::(aws|\d{12}):policy/(?:[A-Za-z0-9_+=,.@-]+/)*[A-Za-z0-9_+=,.@-]+")

PARTITIONS = ("aws", "aws-cn", "aws-us-gov", "aws-iso", "aws-iso-b", "aws-iso-e", "aws-iso-f", "aws-eusc")
"""The partitions that there are (facts sheet 1.5)."""

NAME_LENGTHS = {"role": 64, "user": 64, "group": 128}
"""Longest name of each kind (IAM quotas)."""

PATH_LENGTH = 512
ARN_LENGTH = 2048


def name_error(kind: str, name: str) -> str | None:
    """Say what IAM has against a name of a `role`, `user` or `group`, or None."""
    if not _NAME.fullmatch(name):
        return f"IAM allows only letters, digits and _+=,.@- in the name of a {kind}"
    if len(name) > NAME_LENGTHS[kind]:
        return f"the name of a {kind} has at most {NAME_LENGTHS[kind]} characters; this has {len(name)}"
    return None


def path_error(path: str) -> str | None:
    """Say what IAM has against a path, or None. A path starts and ends with a slash."""
    if not _PATH.fullmatch(path):
        return "a path starts and ends with / and has only letters, digits and _+=,.@- between slashes"
    if len(path) > PATH_LENGTH:
        return f"a path has at most {PATH_LENGTH} characters; this has {len(path)}"
    return None


def action_error(action: str) -> str | None:
    """Say why a text cannot be an action, or None. Whether the action exists is not checked."""
    if _ACTION.fullmatch(action):
        return None
    return "an action is service:Name, like s3:GetObject, with * and ? as wildcards"


def resource_error(resource: str) -> str | None:
    """Say why a text cannot be a statement's resource, or None.

    IAM has no regions (facts sheet 1.5). Of S3, access points, jobs and the like have one, all of them with a slash in
    their names; a bucket has none, and no slash.
    """
    if resource == "*":
        return None
    match = _RESOURCE.fullmatch(resource)
    if match is None:
        return "a resource is an ARN, like arn:aws:s3:::bucket/*, or *"
    partition, service, region, name = match.groups()
    if partition != "*" and partition not in PARTITIONS:
        return f"there is no partition {partition}; AWS has {', '.join(PARTITIONS)}"
    if region and (service == "iam" or (service == "s3" and not set(name) & set("/*?$"))):
        what = "a bucket" if service == "s3" else "what IAM has"
        return f"{what} has no region in its ARN; leave {region} out"
    if len(resource) > ARN_LENGTH:
        return f"an ARN has at most {ARN_LENGTH} characters; this has {len(resource)}"
    return None


def managed_policy_error(arn: str, *, partition: str, account_id: str) -> str | None:
    """Say why a managed policy cannot be used on a role of this account, or None.

    A role can carry AWS's own managed policies and those of its own account.
    """
    match = _POLICY.fullmatch(arn)
    if match is None:
        return "a managed policy's ARN is arn:aws:iam::aws:policy/NAME or arn:aws:iam::ACCOUNT:policy/NAME"
    if match.group(1) != partition:
        return f"the policy is in partition {match.group(1)}, the role in {partition}"
    if match.group(2) not in ("aws", account_id):
        return (
            f"the policy is in account {match.group(2)}, the role in {account_id}; "
            "a role can carry only policies of its own account"
        )
    return None


def iam_arn(partition: str, account_id: str, kind: str, path: str, name: str) -> str:
    """Return the ARN of a user, group or role, with its path."""
    return f"arn:{partition}:iam::{account_id}:{kind}{path}{name}"


def root_arn(partition: str, account_id: str) -> str:
    """Return the ARN that stands for a whole account in a trust policy."""
    return f"arn:{partition}:iam::{account_id}:root"


def account_of(arn: str) -> str:
    """Return the account id in an ARN; empty where it has none."""
    parts = arn.split(":", 5)
    return parts[4] if len(parts) == 6 else ""


def split_path(text: str) -> tuple[str, str]:
    """Split `ci/deployer` into path `/ci/` and name `deployer`; a bare name has the path `/`."""
    *folders, name = text.removeprefix("/").split("/")
    return ("/" + "".join(f"{folder}/" for folder in folders), name)


def tag_text_error(text: str) -> str | None:
    """Say which character IAM refuses in a tag's key or value, or None: letters, space, digits, _.:/=+-@."""
    for character in text:
        if character not in "_.:/=+-@" and unicodedata.category(character)[0] not in "LZN":
            return f"IAM refuses the character U+{ord(character):04X} in tags"
    return None


def description_error(text: str) -> str | None:
    """Say what IAM has against a role's description, or None: Latin-1 without controls and U+00A0, at most 1,000."""
    for character in text:
        code = ord(character)
        if not (code in (0x09, 0x0A, 0x0D) or 0x20 <= code <= 0x7E or 0xA1 <= code <= 0xFF):
            return f"IAM refuses the character U+{code:04X} in a description; it takes Latin-1 text only"
    if len(text) > 1000:
        return f"a description has at most 1,000 characters; this has {len(text):,}"
    return None


def external_id_error(text: str | None) -> str | None:
    """Say what STS has against an external id, or None; it is not shown. STS API reference, AssumeRole, ExternalId."""
    if text is None or _EXTERNAL_ID.fullmatch(text):
        return None
    return "an external id has 2 to 1,224 letters, digits and _+=,.@:/-"


def date_error(operator: str, value: str) -> str | None:
    """Say why a value is no date where a condition's operator compares dates, or None.

    User guide, "Condition operators": a date as ISO 8601 has it, or seconds since 1970.
    """
    if not _DATE_OPERATOR.match(operator) or _DATE.fullmatch(value):
        return None
    return f"{operator} compares dates, like 2026-12-31T23:59:59Z"


def is_pattern(resource: str) -> bool:
    """Return whether a policy's resource may cover more than one."""
    return "*" in resource or "?" in resource


def covers(resource: str, arn: str) -> bool:
    """Return whether a policy's resource, in which `*` is any text and `?` one character, covers an ARN."""
    if not is_pattern(resource):
        return resource == arn
    parts = (".*" if part == "*" else "." if part == "?" else re.escape(part) for part in re.split(r"([*?])", resource))
    return re.fullmatch("".join(parts), arn, re.DOTALL) is not None
