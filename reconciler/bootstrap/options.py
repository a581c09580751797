"""What a bootstrap is made for, and what can be wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from reconciler.errors import UsageError
from reconciler.model import PrincipalKind
from reconciler.policy.arn import external_id_error, path_error
from reconciler.policy.subjects import subject_error
from reconciler.policy.web_identity import GITHUB_AUDIENCE

READER, WRITER, BOUNDARY = "xgrant-reader", "xgrant-writer", "xgrant-boundary"
HUB_PLAN, HUB_APPLY = "xgrant-hub-plan", "xgrant-hub-apply"
CI_PLAN, CI_APPLY = "xgrant-ci-plan", "xgrant-ci-apply"

_CALLER = re.compile(r"(user|group|role)/[A-Za-z0-9_+=,.@/*?-]{1,512}")
_OPERATOR = re.compile(r"arn:(?:aws|aws-[a-z-]+):iam::(\d{12}):(?:user|role)/[A-Za-z0-9_+=,.@/*?-]+")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"(?:[A-Za-z0-9._-]+/)*")
_ACTION = re.compile(r"([a-z0-9-]+):[A-Za-z0-9*?]+")
_ACCOUNT = re.compile(r"\d{12}")
_ORGANIZATION = re.compile(r"o-[a-z0-9]{10,32}")
_STACK = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_PROJECT = re.compile(r"[A-Za-z0-9_.-]+(?:/[A-Za-z0-9_.-]+)+")
_UNIT = re.compile(r"ou-[0-9a-z]{4,32}-[a-z0-9]{8,32}|r-[0-9a-z]{4,32}")

IDENTITY = ("iam", "organizations", "account", "sso", "sso-directory", "identitystore", "sts", "rolesanywhere")
"""Services that say who somebody is, and what they may; no granted role writes to them."""


@dataclass(frozen=True, slots=True)
class Jobs:
    """Whose tokens are trusted: the provider's host, its audience, and the subjects of those that plan and apply."""

    host: str
    audience: str
    plan: tuple[str, ...]
    apply: tuple[str, ...]
    protected_claim: str = ""
    """A claim that has to be `true` to apply, where the subject does not say that a branch is protected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line said.

    `callers` are patterns like `group/developers` or `role/ci/*`; `units` and `operators` are those of the
    organization and of people who apply by hand. `prefix` is that of the store, empty or with a slash at its end.
    """

    stack: str
    hub_account: str = ""
    organization: str = ""
    external_id: str = ""
    path: str = "/xgrant/"
    callers: tuple[str, ...] = ()
    caller_policies: str = "inline"
    boundary_actions: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()
    jobs: Jobs | None = None
    provider_exists: bool = False
    bucket: str = ""
    prefix: str = "xgrant/"
    history_days: int = 2557
    units: tuple[str, ...] = ()

    def caller_kinds(self) -> tuple[PrincipalKind, ...]:
        """Return the kinds of the callers."""
        found = {caller.split("/", 1)[0] for caller in self.callers}
        return tuple(kind for kind in PrincipalKind if kind.value in found)


def github(repository: str, environment: str, branch: str, subjects: tuple[str, ...]) -> Jobs:
    """Return the jobs of a repository of GitHub; of those that apply the subject is its protected environment's.

    Subjects that are stated take the place of that one; a repository may have one with its ids (facts sheet 7).
    """
    apply = subjects or (f"repo:{repository}:environment:{environment}",)
    plan = (f"repo:{repository}:pull_request", f"repo:{repository}:ref:refs/heads/{branch}")
    host = "token.actions.githubusercontent.com"
    _check_project("--github", repository)
    return Jobs(host, GITHUB_AUDIENCE, plan, _checked(host, apply))


def gitlab(project: str, branch: str, subjects: tuple[str, ...]) -> Jobs:
    """Return the jobs of a project of GitLab.

    Its subject names a branch and no environment; that the branch is a protected one is a claim of its own, which AWS
    knows as a condition key (service authorization reference, STS).
    """
    _check_project("--gitlab", project)
    apply = subjects or (f"project_path:{project}:ref_type:branch:ref:{branch}",)
    plan = (f"project_path:{project}:ref_type:branch:ref:*",)
    return Jobs("gitlab.com", "https://gitlab.com", plan, _checked("gitlab.com", apply), "ref_protected")


def _check_project(option: str, name: str) -> None:
    if not _PROJECT.fullmatch(name):
        raise UsageError(f"{option}: {name} is no OWNER/NAME; write it like acme/iam")


def _checked(host: str, subjects: tuple[str, ...]) -> tuple[str, ...]:
    for subject in subjects:
        if error := subject_error(host, subject):
            raise UsageError(f"--subject: {subject}: {error}")
        if "*" in subject or "?" in subject:
            raise UsageError(f"--subject: {subject}: who applies is one environment or branch; leave the wildcard out")
    return subjects


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
        ("--caller", options.callers, _CALLER, "like group/developers, user/ci/* or role/app"),
        ("--operator", options.operators, _OPERATOR, "the ARN of a user or role"),
        ("--boundary-action", options.boundary_actions, _ACTION, "like s3:* or dynamodb:GetItem"),
        ("--unit", options.units, _UNIT, "like ou-ab12-cdef3456, or r-ab12"),
    )
    for option, values, form, like in forms:
        yield from (f"{option}: {value} is not {like}" for value in values if value and not form.fullmatch(value))
    yield from _unsafe(options)
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
    for caller in options.callers:
        if caller.endswith("/*") and caller.count("/") == 1:
            yield f"--caller: {caller}: who writes the policies of all is an administrator; name each, or a path"
    for operator in options.operators:
        if operator.endswith((":role/*", ":user/*")):
            yield f"--operator: {operator}: everybody of the account could write everywhere; name a path or a name"
    for action in options.boundary_actions:
        if action.split(":")[0] in IDENTITY:
            yield f"--boundary-action: {action}: with it a granted role could make itself more than it is; leave it out"


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
