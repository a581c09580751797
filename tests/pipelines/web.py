"""A web API over loopback HTTP, whose endpoints are methods with a pattern."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit


@dataclass
class Call:
    """A request as it came in."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: Any


@dataclass
class Answer:
    """What is answered: JSON, or bytes as they are."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


Endpoint = Callable[..., Answer]


class RefusedError(Exception):
    """The API refuses."""

    def __init__(self, status: int, message: str) -> None:
        self.answer = Answer(status, {"message": message})


class Api:
    """A server; `routes` are `METHOD pattern` to what answers, which gets the call and the groups of the pattern."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.page_size = 100
        self.before: list[Answer] = []
        """What the next calls are answered with in place of what they ask for."""
        self.routes: dict[str, Endpoint] = {}
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def elsewhere(self) -> str:
        """The same server by another name, as that of a storage."""
        return f"http://localhost:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True, kwargs={"poll_interval": 0.05}).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, call: Call) -> Answer:
        with self._lock:
            self.calls.append(call)
            if self.before:
                return self.before.pop(0)
            for route, endpoint in self.routes.items():
                method, _, pattern = route.partition(" ")
                found = re.fullmatch(pattern, call.path)
                if found and method == call.method:
                    try:
                        return endpoint(call, *map(unquote, found.groups()))
                    except RefusedError as error:
                        return error.answer
        return Answer(404, {"message": "Not Found"})

    def page(self, call: Call, items: list[Any], within: str = "") -> Answer:
        """Return a page of a list, with a link to the next one."""
        size = min(int(call.query.get("per_page", "30")), self.page_size)
        number = int(call.query.get("page", "1"))
        shown = items[(number - 1) * size : number * size]
        headers = {}
        if number * size < len(items):
            query = urlencode({**call.query, "page": str(number + 1)})
            headers["Link"] = f'<{self.url}{call.path}?{query}>; rel="next", <{self.url}>; rel="last"'
        return Answer(200, {"total_count": len(items), within: shown} if within else shown, headers)


def _handler(api: Api) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            parts = urlsplit(self.path)
            content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = json.loads(content) if content else None
            headers = {key.lower(): value for key, value in self.headers.items()}
            found = api.answer(Call(self.command, parts.path, dict(parse_qsl(parts.query)), headers, body))
            data = found.body if isinstance(found.body, bytes) else json.dumps(found.body).encode()
            self.send_response(found.status)
            for key, value in {**found.headers, "Content-Length": str(len(data))}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_PATCH = do_PUT = _serve  # noqa: N815 - names of the standard library

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
