"""As much of GitHub's expressions as the workflows use. Another word is an error, so nothing is let pass unread."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

_TOKEN = re.compile(r"\s*(?:(?P<word>[A-Za-z_][\w-]*)|(?P<text>'(?:[^']|'')*')|(?P<sign>==|!=|&&|\|\||[!().]))")
_STATUS = ("success", "failure", "always", "cancelled")


class Expression:
    """One expression, read from left to right; `contexts` has what names stand for, `status` what functions say."""

    def __init__(self, text: str, contexts: Mapping[str, Any], status: Mapping[str, bool]) -> None:
        self._tokens = _tokens(text)
        self._contexts = contexts
        self._status = status

    def value(self) -> Any:
        found = self._binary(0)
        assert not self._tokens, f"what follows is not known here: {self._tokens}"
        return found

    def _binary(self, level: int) -> Any:
        signs: tuple[tuple[tuple[str, ...], Callable[[str, Any, Any], Any]], ...] = (
            (("||",), lambda _, left, right: left or right),
            (("&&",), lambda _, left, right: left and right),
            (("==", "!="), lambda sign, left, right: (_fold(left) == _fold(right)) is (sign == "==")),
        )
        if level == len(signs):
            return self._unary()
        left = self._binary(level + 1)
        while self._tokens and self._tokens[0] in signs[level][0]:
            sign = self._tokens.pop(0)
            left = signs[level][1](sign, left, self._binary(level + 1))
        return left

    def _unary(self) -> Any:
        token = self._tokens.pop(0)
        if token == "!":
            return not self._unary()
        if token == "(":
            found = self._binary(0)
            assert self._tokens.pop(0) == ")"
            return found
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if self._tokens[:1] == ["("]:
            assert self._tokens[1] == ")", f"{token} has arguments, which are not known here"
            del self._tokens[:2]
            return self._status[token]
        return self._name(token)

    def _name(self, first: str) -> Any:
        found: Any = self._contexts[first]
        while self._tokens[:1] == ["."]:
            self._tokens.pop(0)
            name = self._tokens.pop(0)
            found = found.get(name, "") if isinstance(found, Mapping) else ""
        return "" if found is None else found


def resolve(text: Any, contexts: Mapping[str, Any], status: Mapping[str, bool] | None = None) -> Any:
    """Return a value of a workflow with its `${{ }}` replaced; one that is nothing else keeps its type."""
    if not isinstance(text, str):
        return text
    whole = re.fullmatch(r"\$\{\{((?:(?!\}\}).)*)\}\}", text)
    if whole:
        return Expression(whole[1], contexts, status or {}).value()
    return re.sub(r"\$\{\{(.*?)\}\}", lambda found: as_text(Expression(found[1], contexts, status or {}).value()), text)


def holds(condition: str | bool | None, contexts: Mapping[str, Any], status: Mapping[str, bool]) -> bool:
    """Return whether an `if:` is met; one without a status function also needs `success()`."""
    text = re.sub(r"^\s*\$\{\{(.*)\}\}\s*$", r"\1", str(condition)) if condition is not None else "success()"
    met = bool(Expression(text, contexts, status).value())
    return met and (status["success"] or any(f"{name}()" in text for name in _STATUS))


def as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _tokens(text: str) -> list[str]:
    found, at = [], 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        assert match, f"this is not known here: {text[at:]}"
        found.append(match[match.lastgroup or 0])
        at = match.end()
    return found


def _fold(value: Any) -> Any:
    return value.casefold() if isinstance(value, str) else value
