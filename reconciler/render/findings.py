"""What a finding says, in the words that text and Markdown share."""

from __future__ import annotations

import json
from collections.abc import Iterator, Set

from reconciler.model import Finding
from reconciler.policy.document import PolicyDocument
from reconciler.render.escape import HIDDEN, escape
from reconciler.render.statements import masked


def shown_whole(finding: Finding, changed: Set[str]) -> bool:
    """Return whether a finding is shown with its documents: its grant is `changed`, or, if it is of several, any is."""
    return finding.grant in changed if finding.grant else bool(changed)


def without_documents(finding: Finding) -> str:
    """Say why the documents of a finding are left out, and what has them."""
    what = "nothing of this grant changes" if finding.grant else "nothing changes"
    return f"{what}, so the documents are left out; `--format json` has them"


def document_lines(document: PolicyDocument) -> Iterator[str]:
    """Yield a document as lines of JSON, escaped and without its external ids."""
    text = json.dumps(masked(document.data()), indent=2)
    yield from map(escape, text.splitlines())
    if HIDDEN in text:
        yield "(what is hidden stands in the manifest)"
