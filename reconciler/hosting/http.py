"""A small client of JSON over HTTPS. No message of it ever has a header in it, and so no token."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from reconciler import __version__, clock
from reconciler.errors import HostingError, UsageError

TIMEOUT, TRIES, LONGEST_WAIT = 30.0, 4, 60.0
"""Seconds for a call; how often one is made; and for how many seconds between two, at most."""

MOST_PAGES, MOST_JSON = 50, 32 * 1024 * 1024
"""How many pages of a list are read, and how many bytes of one."""

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_NEXT = re.compile(r'<([^>]*)>\s*;[^,]*\brel="?next"?')
_PASSES = (429, 500, 502, 503, 504)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Redirects are followed by hand: urllib would send the token to wherever they lead."""

    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: its status, its headers, the beginning of its body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Client:
    """Calls of one API. `base` is its URL; `headers` are sent to its host and to no other."""

    def __init__(self, base: str, headers: Mapping[str, str]) -> None:
        self._base = _checked(base.rstrip("/"))
        self._headers = {"Accept": "application/json", "User-Agent": f"xgrant/{__version__}", **headers}

    def get(self, path: str, **query: str | int) -> Any:
        """Return the JSON below a path."""
        return _json(self._call("GET", self._url(path, query)), path)

    def pages(self, path: str, within: str = "", **query: str | int) -> Iterator[Any]:
        """Yield the items of a list, page by page; `within` is the key that has it, where the answer is an object."""
        url: str | None = self._url(path, {"per_page": 100, **query})
        for _ in range(MOST_PAGES):
            reply = self._call("GET", url)
            found = _json(reply, path)
            items = found.get(within) if within and isinstance(found, dict) else found
            if not isinstance(items, list):
                raise HostingError(f"GET {path}: the answer is no list; is this the API of GitHub or GitLab?")
            yield from items
            url = self._next(reply)
            if url is None:
                return
        raise HostingError(f"GET {path}: there are more than {MOST_PAGES * 100} items; close or delete old ones")

    def send(self, method: str, path: str, body: Mapping[str, Any]) -> Any:
        """Send JSON, and return what is answered."""
        return _json(self._call(method, self._url(path, {}), json.dumps(body).encode()), path)

    def download(self, path: str, most: int) -> bytes:
        """Return a file; HostingError where it has more than `most` bytes."""
        reply = self._call("GET", self._url(path, {}), most=most + 1)
        if len(reply.body) > most:
            raise HostingError(f"GET {path}: the file has more than {most} bytes, which none of xgrant has")
        return reply.body

    def _url(self, path: str, query: Mapping[str, str | int]) -> str:
        return f"{self._base}/{path}" + (f"?{urlencode(query)}" if query else "")

    def _next(self, reply: Reply) -> str | None:
        found = _NEXT.search(reply.headers.get("link", ""))
        return None if found is None else _checked(found[1])

    def _call(self, method: str, url: str | None, body: bytes | None = None, *, most: int = MOST_JSON) -> Reply:
        assert url is not None
        for redirects in range(4):
            reply = self._patiently(method, url, body, most)
            if reply.status not in (301, 302, 303, 307, 308) or method != "GET":
                break
            url = _checked(urljoin(url, reply.headers.get("location", "")))
            if redirects == 3:
                raise HostingError(f"{_shown(method, url)}: it redirects again and again; see the status of the host")
        if 200 <= reply.status < 300:
            return reply
        said = f"{_shown(method, url)}: {reply.status}{_said(reply)}; {_way_out(reply.status)}"
        raise HostingError(said, reply.status)

    def _patiently(self, method: str, url: str, body: bytes | None, most: int) -> Reply:
        """Make a call, and again where that may help; one that adds something is not made again unless refused."""
        for number in range(1, TRIES + 1):
            last = number == TRIES
            try:
                reply = self._once(method, url, body, most)
            except (OSError, HTTPException) as error:
                if last or method == "POST":
                    why = getattr(error, "reason", error)
                    shown = _shown(method, url)
                    raise HostingError(f"{shown}: it cannot be reached: {why}; run the job again") from None
                wait = 0.0
            else:
                limited = reply.status == 429 or (reply.status == 403 and _limited(reply))
                again = limited or (reply.status in _PASSES and method != "POST")
                wait = _stated_wait(reply)
                if last or not again or wait > LONGEST_WAIT:
                    return reply
            clock.sleep(wait or 2.0**number)
        raise AssertionError("the last try returns or raises")

    def _once(self, method: str, url: str, body: bytes | None, most: int) -> Reply:
        ours = _origin(url) == _origin(self._base)
        headers = {**self._headers} if ours else {"User-Agent": self._headers["User-Agent"]}
        if body is not None:
            headers["Content-Type"] = "application/json"
        request = urllib.request.Request(url, body, headers, method=method)  # noqa: S310 - `_checked` has seen to it
        try:
            with _OPENER.open(request, timeout=TIMEOUT) as answer:
                return _reply(answer, most)
        except urllib.error.HTTPError as error:
            with error:
                return _reply(error, min(most, 10_000))


def _reply(answer: HTTPResponse | urllib.error.HTTPError, most: int) -> Reply:
    headers = {key.lower(): value for key, value in answer.headers.items()}
    return Reply(answer.status or 0, headers, answer.read(most))


def _checked(url: str) -> str:
    """Return a URL that may be called; UsageError for one over which anybody could read along."""
    parts = urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return url
    raise UsageError(f"{parts.scheme}://{parts.hostname}: xgrant speaks to https only; state such a URL")


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _shown(method: str, url: str) -> str:
    """Return a call as messages have it: the query of a download's address may be a key to it."""
    parts = urlsplit(url)
    return f"{method} {parts.hostname}{parts.path}"


def _limited(reply: Reply) -> bool:
    return "retry-after" in reply.headers or reply.headers.get("x-ratelimit-remaining") == "0"


def _stated_wait(reply: Reply) -> float:
    """Return the seconds that the host says; 0 where it says none."""
    said = reply.headers.get("retry-after", "")
    if said.isascii() and said.isdigit():
        return float(said)
    reset = reply.headers.get("x-ratelimit-reset", "")
    if _limited(reply) and reset.isascii() and reset.isdigit():
        return max(1.0, float(reset) - clock.now())
    return 0.0


def _said(reply: Reply) -> str:
    """Return what the host says of its refusal, where that is a text."""
    try:
        found = json.loads(reply.body)
    except ValueError:
        return ""
    message = found.get("message") or found.get("error") if isinstance(found, dict) else None
    return f" {str(message)[:300]}" if message else ""


def _way_out(status: int) -> str:
    if status in (401, 403, 404):
        return "see that the token of this job is given, and may do that (docs/pipelines.md)"
    return "run the job again; if that does not help, see the status of the host"


def _json(reply: Reply, path: str) -> Any:
    try:
        return json.loads(reply.body) if reply.body else None
    except ValueError:
        raise HostingError(f"{path}: the answer is no JSON; is this the API of GitHub or GitLab?") from None
