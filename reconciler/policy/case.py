"""The case of letters, as IAM ignores it: of A to Z, and of no other."""

from __future__ import annotations

import string

_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


def fold(text: str) -> str:
    """Return the text with A to Z in lower case.

    `str.lower` and `str.casefold` would take more for one letter: U+212A, the Kelvin sign, for k, so that a Deny with
    it in the name of an action, which denies nothing, would be called equal to the one that it was made of.
    """
    return text.translate(_LOWER)
