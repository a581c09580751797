"""How large templates and policies are, and how large AWS lets them be (facts sheet 1.3; CloudFormation quotas)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from reconciler.bootstrap import cloudformation
from reconciler.bootstrap.model import ManagedPolicy, Role, RolePolicy, StackSet, Template
from reconciler.errors import UsageError
from reconciler.policy.sizes import QUOTAS

TEMPLATE = 51_200
"""Bytes of a template that is sent with the call; and of one in a stack set."""

_DESCRIPTION = 1024
_LONGEST = {"AWS::Partition": "aws-us-gov", "AWS::AccountId": "1" * 12}


def check(template: Template) -> None:
    """Hold a template against the quotas of a new account; UsageError says what to do."""
    if problems := [*_problems(template)]:
        raise UsageError("; ".join(problems))


def _problems(template: Template) -> Iterator[str]:
    for resource in template.resources:
        match resource:
            case Role():
                yield from _over(
                    f"the trust policy of {resource.name}",
                    _size(resource.trust),
                    QUOTAS["AssumeRolePolicySizeQuota"],
                    "name fewer subjects or operators, or by patterns",
                )
            case RolePolicy():
                yield from _over(
                    f"the policy of {resource.role}",
                    _size(resource.document),
                    QUOTAS["RolePolicySizeQuota"],
                    "name callers by patterns, like group/teams/*, or for all accounts at once, like group/developers",
                )
            case ManagedPolicy():
                yield from _over(
                    f"the policy {resource.name}",
                    _size(resource.document),
                    QUOTAS["PolicySizeQuota"],
                    "name actions by patterns, like s3:*",
                )
            case StackSet():
                yield from _problems(resource.template)  # fmt: skip
    size = len(cloudformation.render(template).encode())
    yield from _over(f"the template {template.name}", size, TEMPLATE, "name callers and actions by patterns")
    yield from _over(f"the description of {template.name}", len(template.description), _DESCRIPTION,
                     "name fewer subjects")  # fmt: skip


def _over(what: str, size: int, most: int, mend: str) -> Iterator[str]:
    if size > most:
        yield f"{what} has {size:,} characters, and AWS takes {most:,}: {mend}"


def _size(document: Mapping[str, object]) -> int:
    text = json.dumps(document, separators=(",", ":"))
    return len(re.sub(r"\$\{([A-Za-z:]+)\}", lambda found: _LONGEST[found.group(1)], text))
