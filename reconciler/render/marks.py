"""The marks of what a plan opens and closes for people."""

from __future__ import annotations

GAIN, LOSS, OTHER = "+", "-", "!"
"""The marks of what is opened, of what is closed, and of what else is to be known."""

Said = tuple[str, str]
"""A mark, and what is said."""
