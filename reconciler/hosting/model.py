"""What a job knows of where its repository is hosted, whichever service that is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

LABEL = "xgrant-drift"
"""The label of issues about drift."""


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment of our own, with its text."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Issue:
    """An issue of our own, with its text, and whether it is open."""

    id: str
    text: str
    open: bool


@dataclass(frozen=True, slots=True)
class Review:
    """What was reviewed of a pull or merge request.

    `name` is that of its review, the number and the head commit; `request` is how people call it; `plans` are all plan
    files that were made of it before the merge, the oldest first, and at least one.
    """

    name: str
    request: str
    plans: tuple[bytes, ...]


class Host(Protocol):
    """One repository at its host. All methods raise HostingError where the host refuses or cannot be reached."""

    @property
    def head(self) -> str:
        """The head commit of the request that this job is for; UsageError where it is for none."""
        ...

    @property
    def commit(self) -> str:
        """The commit that this job has checked out: for a request that of its merge, at most hosts."""
        ...

    @property
    def job(self) -> str:
        """Where this job can be seen; empty where nobody says."""
        ...

    def comments(self) -> Iterable[Comment]:
        """Yield the comments on the request of this job that are our own."""
        ...

    def comment(self, text: str, at: Comment | None) -> None:
        """Write a new comment, or another text in the place of one."""
        ...

    def issues(self) -> Iterable[Issue]:
        """Yield the issues with the label of drift that are our own, open ones or not."""
        ...

    def open_issue(self, title: str, text: str) -> None:
        """Open an issue with the label of drift."""
        ...

    def change_issue(self, issue: Issue, text: str, *, drifted: bool) -> None:
        """Give an issue a text; it is open where there is drift, closed where not."""
        ...

    def remark(self, issue: Issue, text: str) -> None:
        """Write a comment on an issue."""
        ...

    def review(self, most: int) -> Review:
        """Return what was reviewed of the commit of this job; `most` is how many bytes a plan file may have.

        Raises:
            ReviewError: nothing was, or it can no longer be had.

        """
        ...

    def overtaken(self) -> str:
        """Return which newer run of the same branch has begun to write, or may; empty where none has.

        ReviewError where that cannot be told.
        """
        ...

    def unprotected(self, environment: str) -> tuple[str, ...]:
        """Return what is missing, and what to do, for an apply to be what somebody has approved or reviewed."""
        ...
