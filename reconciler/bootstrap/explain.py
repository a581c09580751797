"""In words what the roles of a bootstrap can do, also in the hands of a thief; and what the manifest has to say."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator

from reconciler.bootstrap.hub import oidc
from reconciler.bootstrap.member import reader, writer
from reconciler.bootstrap.model import RolePolicy, Template, count
from reconciler.bootstrap.options import BOUNDARY, CI_APPLY, CI_PLAN, HUB_APPLY, HUB_PLAN, READER, WRITER, Options
from reconciler.policy.arn import account_of


def explain(options: Options) -> str:
    """Return what each role can do, what a stolen one could still do, and what it could not."""
    settings = options.jobs.settings if options.jobs else ()
    readers = f"{READER}, {HUB_PLAN} or {CI_PLAN}" if options.jobs else f"{READER} or {HUB_PLAN}"
    writers = f"{WRITER}, {HUB_APPLY} or {CI_APPLY}" if options.jobs else f"{WRITER} or {HUB_APPLY}"
    parts: tuple[tuple[str, Iterable[str]], ...] = (
        ("What has to be set before the roles are made", settings),
        ("What the roles can do", _roles(options)),
        (f"What somebody could do who has stolen {readers}", _reading_thief(options)),
        (f"What somebody could do who has stolen {writers}", _thief(options)),
        ("What that somebody could not do", _held(options)),
        ("What would hold more", _more(options)),
    )
    return "\n".join(f"{title}:\n\n{listing(items)}" for title, items in parts if items != ())


def listing(items: Iterable[str]) -> str:
    """Return sentences as a list for a terminal."""
    return "".join(
        textwrap.fill(item, 100, initial_indent="- ", subsequent_indent="  ", break_on_hyphens=False) + "\n"
        for item in items
    )


def _roles(options: Options) -> Iterator[str]:
    events = " and the event history of CloudTrail" if options.audit else ""
    yield (
        f"{READER}, in each account, reads IAM{events}, and nothing else ({count(reader(options))} actions). "
        f"{HUB_PLAN} may assume it."
    )
    yield (
        f"{WRITER}, in each account, reads IAM, and writes roles below {options.path} and policies below "
        f"/xgrant/{options.stack}/ ({count(writer(options))} actions). {HUB_APPLY} may assume it."
    )
    if options.callers:
        yield f"{WRITER} writes the caller policies of {_callers(options)}."
    else:
        yield f"{WRITER} writes no caller policies, since no callers were named (--caller)."
    if options.jobs is not None:
        numbers = _counts(oidc(options))
        claims = "".join(f" and {name} = {value}" for name, value in options.jobs.claims)
        yield (
            f"{CI_PLAN} is for jobs with the subjects {' or '.join(options.jobs.plan)}; it may be {HUB_PLAN} "
            f"({numbers['CiPlan']} actions)."
        )
        if options.bucket:
            yield f"{CI_PLAN} may write reviews to the store, each once, and nothing else."
        yield (
            f"{CI_APPLY} is for jobs with the subject {' or '.join(options.jobs.apply)}{claims}; it may be both hubs "
            f"({numbers['CiApply']} actions)."
        )
    for role in options.operators:
        device = ", with an MFA device" if options.operators_mfa else ""
        yield f"{role} may be both hubs by hand{device}."


def _counts(template: Template) -> dict[str, int]:
    """Return how many actions each role of a template has."""
    return {one.role: count(one.document) for one in template.resources if isinstance(one, RolePolicy)}


def _callers(options: Options) -> str:
    """Return the callers in words, with the account of those that are callers in one only."""
    return ", ".join(
        f"{name.rsplit(':', 1)[-1]} in {account_of(name) or 'each account'}" for name in sorted({*options.callers})
    )


def _reading_thief(options: Options) -> Iterator[str]:
    events = ", and who did what in the last 90 days (--no-audit leaves that out)" if options.audit else ""
    yield (
        "Read all of IAM in each account: users, groups, roles, policies, trust policies with their external ids"
        f"{events}. Write nothing there."
    )
    if options.bucket and options.jobs:
        yield f"As {CI_PLAN}: read all of the store, which is the history of all runs and who ran them, and its locks."
    if options.jobs is not None:
        yield from (
            f"{CI_PLAN} is {who}: what runs there its author writes, so whoever may push a branch reads all that. "
            "--no-pull-requests lets in the branch alone; a pull request is then not planned."
            for who in options.jobs.wider()
        )


def _thief(options: Options) -> Iterator[str]:
    yield (
        "Let anybody, also outside of the organization, assume a role of the stack or a new one, and do there what "
        f"{BOUNDARY} allows: {_ceiling(options)}. IAM has no condition on what a trust policy or a permissions policy "
        "says."
    )
    if options.callers:
        yield (
            "Give the callers named above anything in their account: IAM has no condition on what an inline policy "
            "says, and who may write a managed policy may write anything into it. A group has no permissions boundary, "
            "either. So name as few callers as you have, and no group of administrators. And no plan shows it: xgrant "
            "looks at its own policies on callers, not at those of others."
        )
    yield (
        f"Take over roles below {options.path} that have no tag xgrant:stack; tag any role there that is not another "
        "stack's, also one without the boundary, which matters where policies ask for tags; put "
        f"{BOUNDARY} in the place of a tighter boundary on a role of the stack; take any role out of an instance "
        f"profile below {options.path}; delete all roles of the stack, or shut their callers out."
    )
    yield (
        "By a granted role change what runs with a stronger one, such as the code of a function or a command on a "
        "machine: a boundary holds the role, and not what it may change. CloudFormation is left out for that reason "
        "where no actions were named (--boundary-action)."
    )
    if options.bucket and options.jobs:
        yield (
            f"As {CI_APPLY}: release the locks of others or take all of them, and add lines to the history that tell "
            "of runs that never were. Those that stand it cannot change or delete."
        )
    yield "What the readers can."


def _ceiling(options: Options) -> str:
    named = ", ".join(sorted({*options.boundary_actions}))
    most = named or "everything but to write IAM, Organizations, account settings, Identity Center and CloudFormation"
    return (
        f"{most}; read all of IAM; and assume roles below {options.path} of any account that trust it, one of the "
        "thief's own, too"
    )


def _held(options: Options) -> Iterator[str]:
    yield (
        f"Make a role without {BOUNDARY}, with another one, at another path, or for another stack; take the boundary "
        "from a role, or change or delete it; take the tag xgrant:stack from a role, so that no plan shows it."
    )
    yield (
        f"Write a role at another path or of another stack that is no caller, or mark it as its own; or {READER}, "
        f"{WRITER}, the hubs, the roles of jobs, and their policies and trust policies."
    )
    yield "Make users, access keys, groups or providers, pass a role to a service, or attach a policy to itself."
    if options.callers:
        yield "Write the policies of a principal that is none of the callers named above."


def _more(options: Options) -> Iterator[str]:
    yield (
        "A resource control policy of the organization that denies sts:AssumeRole to principals outside of it "
        "(aws:PrincipalOrgID): no trust policy can open a role to others then."
    )
    yield "--boundary-action for the services that grants are about, in the place of all."
    if not options.organization:
        yield "--organization: then only a hub of the organization is trusted."
    if options.operators and not options.operators_mfa:
        yield "--operator-mfa, where operators are users with a device; no session of a role has one."
    if options.bucket:
        yield (
            "S3 Object Lock on the bucket, or the bucket in an account of the log archive: whoever administers the "
            "account of the hub may take its policy and its versions away."
        )
    yield f"An alarm on each use of {WRITER} whose session was not begun by {CI_APPLY}."


def access(options: Options) -> str:
    """Return the part of a manifest that reaches the accounts by these roles, as YAML."""
    external = f', external_id: "{options.external_id}"' if options.external_id else ""
    hub = f"arn:{options.partition}:iam::{options.hub_account}:role/"
    store = ""
    if options.bucket:
        folder = f"/{options.prefix}".rstrip("/")
        store = f"store: s3://{options.bucket}{folder}\n"
    return (
        "defaults:\n"
        f"  path: {options.path}\n"
        f'  permissions_boundary: "arn:${{account.partition}}:iam::${{account.id}}:policy/{BOUNDARY}"\n'
        "  access:\n"
        f'    plan: {{role: {READER}{external}, hub: {{arn: "{hub}{HUB_PLAN}"}}}}\n'
        f'    apply: {{role: {WRITER}{external}, hub: {{arn: "{hub}{HUB_APPLY}"}}}}\n'
        f"{store}"
    )
