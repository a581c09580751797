"""What a bootstrap is made for, and what can be wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from reconciler.bootstrap.jobs import Jobs
from reconciler.errors import UsageError
from reconciler.model import PrincipalKind
from reconciler.policy.arn import external_id_error, path_error

READER, WRITER, BOUNDARY = "xgrant-reader", "xgrant-writer", "xgrant-boundary"
HUB_PLAN, HUB_APPLY = "xgrant-hub-plan", "xgrant-hub-apply"
CI_PLAN, CI_APPLY = "xgrant-ci-plan", "xgrant-ci-apply"
ROLES = (READER, WRITER, HUB_PLAN, HUB_APPLY, CI_PLAN, CI_APPLY)

_OF_ACCOUNT = r"arn:(?:aws|aws-[a-z-]+):iam::\d{12}:"
_CALLER = re.compile(rf"(?:{_OF_ACCOUNT})?(user|group|role)/[A-Za-z0-9_+=,.@/*?-]{{1,512}}")
_OPERATOR = re.compile(rf"{_OF_ACCOUNT}(?:user|role)/[A-Za-z0-9_+=,.@/*?-]+")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"(?:[A-Za-z0-9._-]+/)*")
_ACTION = re.compile(r"([a-z0-9-]+):[A-Za-z0-9*?]+")
_ACCOUNT = re.compile(r"\d{12}")
_ORGANIZATION = re.compile(r"o-[a-z0-9]{10,32}")
_STACK = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_UNIT = re.compile(r"ou-[0-9a-z]{4,32}-[a-z0-9]{8,32}|r-[0-9a-z]{4,32}")

_PERMISSION_SET = re.compile(r"/AWSReservedSSO_[^*?]+_")
_OF_AWS = ("/aws-service-role/", "/aws-reserved/", "/service-role/")
"""Where AWS makes roles by itself, and its consoles those of services (facts sheet 3.4)."""

IDENTITY = ("iam", "organizations", "account", "sso", "sso-directory", "identitystore", "sts", "rolesanywhere")
"""Services that say who somebody is, and what they may; no granted role writes to them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line said.

    `callers` are patterns like `group/developers` or `role/ci/*`, of each account, or such an ARN, of one. `units` are
    those of the organization, `operators` people who apply by hand. `prefix` is that of the store, empty or with a
    slash at its end. `partition` is that of the hub's account. `lists` is that jobs list the accounts of the
    organization; they do it as `listing_role`, if that is an ARN.
    """

    stack: str
    partition: str = "aws"
    hub_account: str = ""
    organization: str = ""
    external_id: str = ""
    path: str = "/xgrant/"
    callers: tuple[str, ...] = ()
    caller_policies: str = "inline"
    boundary_actions: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()
    operators_mfa: bool = False
    audit: bool = True
    jobs: Jobs | None = None
    provider_exists: bool = False
    bucket: str = ""
    prefix: str = "xgrant/"
    history_days: int = 2557
    units: tuple[str, ...] = ()
    delegated_admin: bool = False
    lists: bool = False
    listing_role: str = ""

    def caller_kinds(self) -> tuple[PrincipalKind, ...]:
        """Return the kinds of the callers."""
        found = {caller.rsplit(":", 1)[-1].split("/", 1)[0] for caller in self.callers}
        return tuple(kind for kind in PrincipalKind if kind.value in found)


def check(options: Options, what: tuple[str, ...]) -> None:
    """Check all that the templates named in `what` need; UsageError with everything that is wrong."""
    if problems := [*_wrong(options), *_missing(options, what)]:
        raise UsageError("; ".join(problems))


def _wrong(options: Options) -> Iterator[str]:
    forms = (
        ("--stack", (options.stack,), _STACK, "a-z, 0-9 and -, at most 32, like platform"),
        ("--hub-account", (options.hub_account,), _ACCOUNT, "12 digits"),
        ("--organization", (options.organization,), _ORGANIZATION, "like o-abcdefghij"),
        ("--bucket", (options.bucket,), _BUCKET, "the name of a bucket, 3 to 63 of a-z, 0-9, . and -"),
        ("--prefix", (options.prefix,), _PREFIX, "names with a / behind each, like xgrant/"),
        ("--caller", options.callers, _CALLER, "like group/developers, role/ci/*, or such an ARN"),
        ("--operator", options.operators, _OPERATOR, "the ARN of a user or role"),
        ("--boundary-action", options.boundary_actions, _ACTION, "like s3:* or dynamodb:GetItem"),
        ("--unit", options.units, _UNIT, "like ou-ab12-cdef3456, or r-ab12"),
    )
    for option, values, form, like in forms:
        yield from (f"{option}: {value} is not {like}" for value in values if value and not form.fullmatch(value))
    yield from _unsafe(options)
    yield from _too_many(options)
    if options.external_id and (error := external_id_error(options.external_id)):
        yield f"--external-id: {error}"
    if not 1 <= options.history_days <= 36500:
        yield f"--history-days: {options.history_days} is not from 1 to 36500"


def _unsafe(options: Options) -> Iterator[str]:
    """Yield what would make an administrator of the writing role, or of the roles that it makes."""
    if error := path_error(options.path):
        yield f"--path: {options.path}: {error}"
    elif options.path == "/":
        yield "--path: / has all roles of the account below it; name a path of xgrant's own, like /xgrant/"
    elif options.path.startswith(_OF_AWS):
        yield f"--path: {options.path} is where AWS's own roles lie; name a path of xgrant's own, like /xgrant/"
    for action in options.boundary_actions:
        if action.split(":")[0] in IDENTITY:
            yield f"--boundary-action: {action}: with it a granted role could make itself more than it is; leave it out"


def _too_many(options: Options) -> Iterator[str]:
    """Yield the patterns of principals that mean all of a kind."""
    for caller in filter(_CALLER.fullmatch, options.callers):
        if _too_wide(caller):
            yield f"--caller: {caller}: who writes the policies of all is an administrator; name each, or a path"
    for operator in filter(_OPERATOR.fullmatch, options.operators):
        if _too_wide(operator):
            yield f"--operator: {operator}: everybody of the account could write everywhere; name a path or a name"
        elif ":role/aws-reserved/" in operator and not _PERMISSION_SET.search(operator):
            yield f"--operator: {operator}: everybody who signs in could write everywhere; name the permission set"


def _too_wide(arn: str) -> bool:
    """Return whether a pattern of principals has a wildcard before any path is named."""
    head, *rest = re.split(r"[*?]", arn.rsplit(":", 1)[-1].split("/", 1)[1], maxsplit=1)
    return bool(rest) and "/" not in head


def _missing(options: Options, what: tuple[str, ...]) -> Iterator[str]:
    needed = {
        "member": (("--stack", options.stack), ("--hub-account", options.hub_account)),
        "stackset": (("--unit", options.units), ("--organization", options.organization)),
        "hub": (("--github, --gitlab or --operator", options.jobs or options.operators),),
        "oidc": (("--github or --gitlab", options.jobs),),
        "store": (("--bucket", options.bucket),),
    }
    said = dict.fromkeys(option for name in what for option, value in needed[name] if not value)
    if said:
        yield f"{' and '.join(said)} {'are' if len(said) > 1 else 'is'} missing"
