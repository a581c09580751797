"""Which subjects of tokens too many can meet, and which let in more than one thing: by the forms of known providers.

A provider like GitHub's issues tokens to whoever asks; only the subject says whose job it is (facts sheet 7). So a
subject has to hold fast, before any wildcard, what only one repository, namespace or organization can have.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_WILDCARD = re.compile(r"[*?]")


@dataclass(frozen=True, slots=True)
class _Form:
    """The subjects of one kind of provider.

    `hosts` are the providers; `start` tells such a subject where the provider is not known. `named` is what has to
    stand before the first wildcard, and `what` it names. `each` is what a lone wildcard behind it stands for.
    """

    what: str
    example: str
    hosts: re.Pattern[str]
    start: re.Pattern[str]
    named: re.Pattern[str]
    each: str = ""


# owner/repository, also with numbers behind an @ (facts sheet 7), or the number that GitHub gives a repository. Before
# it a template of one's own may have the owner or the enterprise, and nothing that an owner can word. github.com,
# GitHub with data residency, GitHub Enterprise Server (GitHub docs, "OpenID Connect reference").
_GITHUB = _Form(
    "repository",
    "repo:OWNER/REPOSITORY:ref:refs/heads/main, or repo:OWNER@ID/REPOSITORY@ID:... where GitHub puts the ids there",
    re.compile(r"token\.actions\.githubusercontent\.com(/.*)?|.*\.ghe\.com(/.*)?|.*/_services/token(/.*)?"),
    re.compile(
        r"(?:repo|repository(?:_id|_owner|_owner_id|_visibility)?|enterprise(?:_id)?|environment|ref|job_workflow_ref):"
    ),
    re.compile(
        r"(?:(?:repository_owner|enterprise)(?:_id)?:[^:]+:)*"
        r"(?:(?:repo|repository):[^:/]+/[^:/]+|repository_id:[0-9]+)(?::|$)"
    ),
    "branch, tag, environment and pull request",
)
_GITLAB = _Form(
    "project",
    "project_path:GROUP/PROJECT:ref_type:branch:ref:main",
    re.compile(r"gitlab\.com(/.*)?"),
    re.compile(r"(?:project_path|ref_type):"),
    re.compile(r"project_path:[^:/]+(?:/[^:/]+)+(?::|$)"),
    "branch and tag",
)
_BITBUCKET = _Form(
    "repository",
    "{REPOSITORY_UUID}:{ENVIRONMENT_UUID}:*",
    re.compile(r"api\.bitbucket\.org/.*"),
    re.compile(r"\{"),
    re.compile(r"\{[^{}:]+\}(?::|$)"),
)
_CLUSTER = _Form(
    "namespace",
    "system:serviceaccount:NAMESPACE:NAME",
    re.compile(r"oidc[.-]eks\..*"),
    re.compile(r"system:"),
    re.compile(r"system:serviceaccount:[^:]+:"),
)
_PULUMI = _Form(
    "organization",
    "pulumi:deploy:org:ORGANIZATION:project:PROJECT:*",
    re.compile(r"api\.pulumi\.com(/.*)?"),
    re.compile(r"pulumi:"),
    re.compile(r"pulumi:[^:]+:[^:]+:[^:]+(?::|$)"),
)
_FORMS = (_GITHUB, _GITLAB, _BITBUCKET, _CLUSTER, _PULUMI)

# Two whole parts, as in organization:acme:...
_TWO_PARTS = re.compile(r"[^:/|]+[:/|]+[^:/|]+[:/|]")
_PULL_REQUEST = re.compile(r"(?:^|:)pull_request(?::|$)")
# The last part is the step, which is another one in each run: more than this nobody can say.
_ENVIRONMENT = re.compile(r"\{[^{}:*?]+\}:\{[^{}:*?]+\}:[*?]+")


def subject_error(provider: str, subject: str) -> str | None:
    """Say why a subject is too wide or can never be one, or None.

    What a known provider's subject names first has to stand before the first wildcard, whole; so it has in a subject
    that looks like one of theirs. Of others the first two parts have to.
    """
    if "${" in subject:
        return "a subject has no variables of IAM in it: the caller has none of their values"
    if not _WILDCARD.sub("", subject).strip(":/|"):
        return "any token of the provider would do; say whose"
    form = _form(provider, subject)
    if form is not None:
        if _holds(form.named, subject):
            return None
        if not form.start.match(subject) and (":" in _head(subject) or _head(subject) == subject):
            return (
                f"no subject of this provider is known to begin so, so that nobody would get in; write {form.example}"
            )
        too_wide = f"more than one {form.what} could meet this; name the {form.what}, without wildcards, like "
        return f"{too_wide}{form.example}"
    if _WILDCARD.search(subject) and not _holds(_TWO_PARTS, subject):
        return "a wildcard may stand only behind two whole parts, like organization:acme:*; else whoever asks gets in"
    return None


def lets_in(provider: str, subject: str) -> str | None:
    """Say whom a subject lets in beside one branch, environment or the like, which it would name whole; or None."""
    form = _form(provider, subject)
    named = form.named.match(subject) if form else None
    if form is not None and named is not None:
        whose, rest = named.group().removesuffix(":"), subject[named.end() :]
        if form.each and rest and not rest.strip("*?:/"):
            return f"any {form.each} of {whose}"
        if form.each and not rest:
            return f"any {form.each} of {whose}, where its subjects say no more than that (else nobody),"
        if form is _GITHUB and _PULL_REQUEST.search(rest):
            return f"any pull request of {whose}"
    if _WILDCARD.search(subject) and not (form is _BITBUCKET and _ENVIRONMENT.fullmatch(subject)):
        return f"whoever has a subject like {subject}"
    return None


def of_jobs(provider: str, subject: str) -> bool:
    """Return whether a subject is one of GitHub or GitLab, by the provider or by what it says."""
    return _form(provider, subject) in (_GITHUB, _GITLAB)


def _form(provider: str, subject: str) -> _Form | None:
    for form in _FORMS:
        if form.hosts.fullmatch(provider):
            return form
    return next((form for form in _FORMS if form.start.match(subject)), None)


def _holds(named: re.Pattern[str], subject: str) -> bool:
    """Return whether a subject has the form before its first wildcard, and no wildcard can make it longer."""
    head = _head(subject)
    match = named.match(head)
    return match is not None and (head == subject or match.group()[-1] in ":/|")


def _head(subject: str) -> str:
    return _WILDCARD.split(subject, maxsplit=1)[0]
