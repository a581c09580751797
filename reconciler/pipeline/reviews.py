"""What was reviewed, kept where it is written once: a plan file in the manifests' store, by the name of its review."""

from __future__ import annotations

import re

from reconciler.errors import ReviewError, UsageError
from reconciler.model import Manifest
from reconciler.pipeline.plan_files import parse_plan_file
from reconciler.pipeline.stores import open_store
from reconciler.planfile import PlanFile
from reconciler.ports import Store

_NAME = re.compile(r"[0-9A-Za-z._-]{1,100}")
_SAME = ("stack", "fingerprint", "only", "destroy")
"""What makes two plan files the same review. When they were made and end is none of it."""


def check_name(name: str) -> str:
    """Return the name of a review; UsageError where it cannot be one."""
    if not _NAME.fullmatch(name) or not name.strip("."):
        raise UsageError(
            f"--review: {name!r} is no name of a review; it has 1 to 100 of 0-9, A-Z, a-z, ., _ and -, as the number "
            "and the commit of a pull request"
        )
    return name


def review_store(manifest: Manifest) -> Store:
    """Return the store for reviews; UsageError where the manifests state none, since a folder ends with its job."""
    if not manifest.store:
        raise UsageError(
            "--review: the manifests state no `store: s3://BUCKET/PREFIX`, where what was reviewed is kept; state one, "
            "or leave --review out and rely on the plan file"
        )
    return open_store(manifest)


def same_review(one: PlanFile, other: PlanFile) -> bool:
    """Return whether two plan files are the same review."""
    return all(one.data[key] == other.data[key] for key in _SAME)


def keep_review(store: Store, reviewed: PlanFile, content: bytes, name: str) -> None:
    """Keep a plan file under the name of its review; one that is there already and says the same is kept as it is.

    Raises:
        ReviewError: another plan is there under that name.
        StoreError: the store cannot be reached.

    """
    if store.create(_key(reviewed.plan.stack, name), content) is not None:
        return
    if not same_review(_kept(store, reviewed.plan.stack, name), reviewed):
        raise ReviewError(
            f"{store.place} has another plan as the review {name}: AWS or the target branch has changed since. What "
            "was reviewed stays what it is: push a new commit, so that the new plan is reviewed under its name"
        )


def check_review(store: Store, reviewed: PlanFile, file: str, name: str) -> None:
    """Check that a plan file is the one that is kept as a review.

    Raises:
        ReviewError: it is another, or there is no such review.
        StoreError: the store cannot be reached, or holds what is no plan file.

    """
    if not same_review(_kept(store, reviewed.plan.stack, name), reviewed):
        raise ReviewError(
            f"{file}: this is not the plan that {store.place} has as the review {name}; nothing was changed. Take the "
            "file that was kept, or have a new one reviewed"
        )


def _kept(store: Store, stack: str, name: str) -> PlanFile:
    key = _key(stack, name)
    entry = store.read(key)
    if entry is None:
        raise ReviewError(
            f"{store.place} has no review {name} of the stack {stack}; nothing was changed. Plan with "
            f"`xgrant plan -o FILE --review {name}` and have that reviewed"
        )
    return parse_plan_file(entry.content, f"{store.place}/{key}")


def _key(stack: str, name: str) -> str:
    return f"reviews/{stack}/{name}.json"
