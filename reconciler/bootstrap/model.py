"""What a template has in it, for both formats. In text `${...}` is what AWS knows of the account, or a resource's name.

A template has no parameters: what was said on the command line stands in it. A stack keeps the old values of parameters
when its template changes (AWS CLI, `cloudformation deploy`), so a changed option would be deployed by nobody.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Document = Mapping[str, Any]

PARTITION, ACCOUNT = "${AWS::Partition}", "${AWS::AccountId}"

REFERENCE = re.compile(r"\$\{([A-Za-z:]+)\}")
"""What each format writes in its own way."""


@dataclass(frozen=True, slots=True)
class Role:
    """An IAM role; `id` is how a template calls it."""

    id: str
    name: str
    description: str
    trust: Document


@dataclass(frozen=True, slots=True)
class RolePolicy:
    """An inline policy of the role that is called `role`."""

    id: str
    role: str
    name: str
    document: Document


@dataclass(frozen=True, slots=True)
class ManagedPolicy:
    """A customer managed policy at the path `/`. It is made after the resources `after`, and deleted before them."""

    id: str
    name: str
    description: str
    document: Document
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OidcProvider:
    """An OpenID Connect provider; the host is without `https://`."""

    id: str
    host: str
    audience: str


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket for the store, below a prefix that ends with a slash; it survives its template."""

    id: str
    name: str
    prefix: str
    history_days: int


@dataclass(frozen=True, slots=True)
class BucketPolicy:
    """The policy of the bucket that is called `bucket`."""

    id: str
    bucket: str
    document: Document


@dataclass(frozen=True, slots=True)
class StackSet:
    """A template in all accounts of units of an organization, in those that join them, too."""

    id: str
    name: str
    description: str
    template: Template
    units: tuple[str, ...]
    delegated: bool
    """That it is deployed in the account of a delegated administrator, not in the management account."""


Resource = Role | RolePolicy | ManagedPolicy | OidcProvider | Bucket | BucketPolicy | StackSet


@dataclass(frozen=True, slots=True)
class Template:
    """One template. `name` is that of its file and of the stack that is made of it."""

    name: str
    description: str
    resources: tuple[Resource, ...]


def allow(sid: str, actions: list[str], resources: list[str] | str, condition: Document | None = None) -> Document:
    """Return a statement that allows."""
    found = {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources}
    return {**found, "Condition": condition} if condition else found


def deny(sid: str, resources: list[str] | str, condition: Document | None = None, **actions: list[str]) -> Document:
    """Return a statement that denies; `actions` is Action or NotAction."""
    found = {"Sid": sid, "Effect": "Deny", **actions, "Resource": resources}
    return {**found, "Condition": condition} if condition else found


def count(document: Document) -> int:
    """Return how many actions a document allows, of all its statements."""
    allowing = (statement for statement in document["Statement"] if statement["Effect"] == "Allow")
    return sum(len(statement["Action"]) for statement in allowing)


def policy(*statements: Document) -> Document:
    """Return a document of statements."""
    return {"Version": "2012-10-17", "Statement": list(statements)}
