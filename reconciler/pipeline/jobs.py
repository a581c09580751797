"""What a job of a pipeline tells people, and what it gets from them: one comment, one issue, a reviewed plan."""

from __future__ import annotations

import re

from reconciler import planfile
from reconciler.errors import ReviewError, UsageError
from reconciler.hosting import Host, Review
from reconciler.pipeline.plan_files import parse_plan_file
from reconciler.pipeline.reviews import check_name, same_review
from reconciler.render.markdown.comment import UNKNOWN

MOST_TEXT = 1_000_000
"""More characters than any host takes in a comment."""

_MARKER = re.compile(r"<!-- xgrant:(plan|drift):[A-Za-z0-9._~%-]{1,200} -->")


def marker_of(text: str, kind: str, name: str) -> str:
    """Return the first line of a text, by which a job finds it again; UsageError where that is no marker of a kind."""
    line = _first_line(text)
    found = _MARKER.fullmatch(line)
    if found is None or found[1] != kind:
        command = "xgrant show plan.json" if kind == "plan" else "xgrant drift"
        raise UsageError(f"{name}: its first line is no marker; make it with `{command} --format github`, or gitlab")
    return line


def keep_comment(host: Host, text: str, name: str) -> str:
    """Write the one comment with the marker of a text, or update it; return in a word what was done.

    A person's comment is left alone, whatever its first line is: `Host.comments` has only our own.
    """
    marker = marker_of(text, "plan", name)
    whole = text.rstrip("\n") + _origin(host)
    found = next((one for one in host.comments() if _first_line(one.text) == marker), None)
    if found is not None and _lines(found.text) == _lines(whole):
        return "unchanged"
    host.comment(whole, found)
    return "written" if found is None else "updated"


def withdraw_comments(host: Host) -> int:
    """Say in the place of each plan of an older commit that this job's commit has none; return how many there were.

    A plan of this very commit stays: it is what was reviewed, or another stack's.
    """
    job = f" The log of [this job]({host.job}) says why." if host.job else ""
    count = 0
    for one in [*host.comments()]:
        marker = _first_line(one.text)
        found = _MARKER.fullmatch(marker)
        if found and found[1] == "plan" and not re.search(_commit(host.head), one.text):
            host.comment(f"{marker}\n\nCommit {host.head} has no plan, and cannot be merged to an apply.{job}\n", one)
            count += 1
    return count


def _commit(head: str) -> str:
    return rf"(?m)^(This is the plan of commit {re.escape(head)}\b|Commit {re.escape(head)} has no plan\b)"


def _origin(host: Host) -> str:
    job = f" [This job]({host.job}) made it." if host.job else ""
    merge = f", as commit {host.commit} merges it" if host.commit != host.head else ""
    return f"\n\nThis is the plan of commit {host.head}{merge}.{job}\n"


def keep_issue(host: Host, text: str, name: str, *, drifted: bool) -> str:
    """Open, update, reopen or close the one issue with the marker of a text; return in a word what was done."""
    marker = marker_of(text, "drift", name)
    if text.splitlines(keepends=True)[1:2] == [UNKNOWN]:
        return "left as it is: nobody knows whether there is drift"
    ours = [one for one in host.issues() if _first_line(one.text) == marker]
    found = next((one for one in ours if one.open), ours[0] if ours else None)
    if not drifted:
        if found is None or not found.open:
            return "unchanged"
        host.remark(found, "AWS is as the manifests say again, so this is closed.")
        host.change_issue(found, text, drifted=False)
        return "closed"
    if found is None:
        host.open_issue("AWS is not as the manifests say", text)
        return "opened"
    if found.open and _lines(found.text) == _lines(text):
        return "unchanged"
    host.change_issue(found, text, drifted=True)
    if found.open:
        return "updated"
    host.remark(found, "AWS is not as the manifests say any more, so this is open again.")
    return "reopened"


def fetch_review(host: Host, out: str) -> Review:
    """Write the plan that was reviewed of the commit of this job to a file, and return the review.

    Raises:
        ReviewError: nothing was reviewed, it can no longer be had, or there were several plans of the commit.
        PlanFileError: what was reviewed is no plan file, or was edited.
        OSError, UsageError: as `write_plan_file`.

    """
    found = host.review(planfile.MAX_BYTES)
    check_name(found.name)
    first, *others = (parse_plan_file(content, f"the plan of {found.request}") for content in found.plans)
    if not all(same_review(first, other) for other in others):
        raise ReviewError(
            f"{found.request} was planned {len(found.plans)} times before it was merged, and not always alike: AWS or "
            "the target branch had changed, and nobody can tell which plan was approved. Nothing was changed; run the "
            "merge's pipeline by hand on this branch, and push a new commit next time"
        )
    planfile.write_private(out, found.plans[0].decode("utf-8"))
    return found


def check_current(host: Host) -> None:
    """Check that no newer run has overtaken the one of this job; ReviewError if one has, or nobody can tell."""
    if newer := host.overtaken():
        raise ReviewError(
            f"this run is overtaken: {newer} was let through to write since. What this one would apply may have been "
            "taken back by now, so nothing was changed. Run the merge's pipeline by hand on this branch: it plans what "
            "the branch has now"
        )


def _first_line(text: str) -> str:
    return (text.splitlines() or [""])[0].strip()


def _lines(text: str) -> list[str]:
    """Return the lines of a text: hosts give back others line breaks than they got, and none at the end."""
    return [line.rstrip() for line in text.strip().splitlines()]
