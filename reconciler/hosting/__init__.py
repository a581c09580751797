"""The web APIs of GitHub and GitLab, as far as a job of a pipeline needs them: comments, issues, reviewed plans."""

from reconciler.hosting.choice import host_of
from reconciler.hosting.model import Comment, Host, Issue, Review

__all__ = ["Comment", "Host", "Issue", "Review", "host_of"]
