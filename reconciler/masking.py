"""Text for locks and history, which others read: without external ids and credentials."""

from __future__ import annotations

import re
from collections.abc import Iterable

_MASK = "(hidden)"
_LONG = 6

# Ids of access keys, and what is given a name of secrets: `token=X`, `"SecretAccessKey": "X"`, `--external-id X`.
_ACCESS_KEY = re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}")
_NAME = r"(?:secret|token|password|external.?id|access.?key)[\w-]*"
_NAMED = re.compile(rf"""(?i)({_NAME}['"]?\s*[=:]\s*['"]?|--[\w-]*{_NAME}\s+['"]?)[^\s'";,]+""")


def masked(text: str, secrets: Iterable[str]) -> str:
    """Return the text with every secret hidden, and everything that has the look of one.

    A short secret is hidden where it stands as a word: it may be a part of any.
    """
    for secret in sorted(set(secrets) - {""}, key=len, reverse=True):
        pattern = re.escape(secret) if len(secret) >= _LONG else rf"(?<!\w){re.escape(secret)}(?!\w)"
        text = re.sub(pattern, _MASK, text)
    return _NAMED.sub(rf"\1{_MASK}", _ACCESS_KEY.sub(_MASK, text))
