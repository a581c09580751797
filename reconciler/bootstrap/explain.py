"""In words what the roles of a bootstrap can do, also in the hands of a thief; and what the manifest has to say."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from reconciler.bootstrap.options import BOUNDARY, CI_APPLY, CI_PLAN, HUB_APPLY, HUB_PLAN, READER, WRITER, Options


def explain(options: Options) -> str:
    """Return what each role can do, what a stolen writing role could still do, and what it could not."""
    parts = (
        ("What the roles can do", _roles(options)),
        (f"What somebody could do who has stolen {WRITER}, {HUB_APPLY} or {CI_APPLY}", _thief(options)),
        ("What that somebody could not do", _held(options)),
        ("What would hold more", _more(options)),
    )
    return "\n".join(
        f"{title}:\n\n" + "".join(textwrap.fill(item, 100, initial_indent="- ", subsequent_indent="  ") + "\n"
                                  for item in items)
        for title, items in parts
    )  # fmt: skip


def _roles(options: Options) -> Iterator[str]:
    yield (
        f"{READER}, in each account, reads IAM and the event history of CloudTrail, and nothing else. {HUB_PLAN} may "
        "assume it."
    )
    yield (
        f"{WRITER}, in each account, reads IAM, and writes roles below {options.path} and policies below "
        f"/xgrant/{options.stack}/. {HUB_APPLY} may assume it."
    )
    if options.callers:
        yield f"{WRITER} writes the caller policies of {', '.join(sorted({*options.callers}))}, where they exist."
    else:
        yield f"{WRITER} writes no caller policies, since no callers were named (--caller)."
    if options.jobs is not None:
        yield f"{CI_PLAN} is for jobs with the subjects {' or '.join(options.jobs.plan)}; it may be {HUB_PLAN}."
        if options.bucket:
            yield f"{CI_PLAN} may write reviews to the store, each once, and nothing else."
        yield f"{CI_APPLY} is for jobs with the subject {' or '.join(options.jobs.apply)}; it may be both hubs."


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
            "either. So name as few callers as you have, and no group of administrators."
        )
    yield (
        f"Take over roles below {options.path} that have no tag xgrant:stack; delete all roles of the stack, or shut "
        "their callers out."
    )
    yield (
        "By a granted role change what runs with a stronger one, such as the code of a function or a command on a "
        "machine: a boundary holds the role, and not what it may change. CloudFormation is left out for that reason "
        "where no actions were named (--boundary-action)."
    )
    yield "Read all of IAM in each account, external ids included."


def _ceiling(options: Options) -> str:
    if options.boundary_actions:
        return ", ".join(sorted({*options.boundary_actions}))
    return "everything but to write IAM, Organizations, account settings, Identity Center and CloudFormation"


def _held(options: Options) -> Iterator[str]:
    yield (
        f"Make a role without {BOUNDARY}, with another one, at another path, or for another stack; take the boundary "
        "from a role, or change or delete it."
    )
    yield (
        f"Touch a role at another path or of another stack that is no caller, or mark it as its own; or {READER}, "
        f"{WRITER}, the hubs, the roles of jobs, and their policies and trust policies."
    )
    yield "Make users, access keys, groups or providers, pass a role to a service, or attach a policy to itself."
    if options.callers:
        yield "Touch a principal that is none of the callers named above."


def _more(options: Options) -> Iterator[str]:
    yield (
        "A resource control policy of the organization that denies sts:AssumeRole to principals outside of it "
        "(aws:PrincipalOrgID): no trust policy can open a role to others then."
    )
    yield "--boundary-action for the services that grants are about, in the place of all."
    if not options.organization:
        yield "--organization: then only a hub of the organization is trusted."
    yield f"An alarm on each use of {WRITER} whose session was not begun by {CI_APPLY}."


def access(options: Options) -> str:
    """Return the part of a manifest that reaches the accounts by these roles, as YAML."""
    external = f', external_id: "{options.external_id}"' if options.external_id else ""
    hub = f"arn:aws:iam::{options.hub_account}:role/"
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
