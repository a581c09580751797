"""What IAM's query protocol looks like on the wire: requests, errors, replies as XML."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode
from xml.etree import ElementTree as Xml
from xml.sax.saxutils import escape

Environ = dict[str, Any]
Application = Callable[[Environ, Any], Iterable[bytes]]

CREDENTIAL = "xgrant.credential"
"""Where the recorder leaves the access key and the service of a signed request."""
NAMESPACE = "https://iam.amazonaws.com/doc/2010-05-08/"
_STS = "https://sts.amazonaws.com/doc/2011-06-15/"
_STATUS = {
    "AccessDenied": 403,
    "ConcurrentModification": 409,
    "DeleteConflict": 409,
    "EntityAlreadyExists": 409,
    "LimitExceeded": 409,
    "InvalidClientTokenId": 403,
    "MissingAuthenticationToken": 403,
    "NoSuchEntity": 404,
    "ServiceFailure": 500,
}
_ORDINARY = {"iam": NAMESPACE, "sts": _STS}

Xml.register_namespace("", NAMESPACE)


class RefusedError(Exception):
    """AWS says no: its code and message; the status follows from the code (facts sheet 3.2; 400 for the others)."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


@dataclass(frozen=True, slots=True)
class Request:
    """One call of the query protocol."""

    account: str
    service: str
    operation: str
    parameters: Mapping[str, str]
    access_key: str = ""

    def get(self, name: str) -> str | None:
        """Return a parameter; None if it is not sent."""
        return self.parameters.get(name)

    def tags(self) -> list[tuple[str, str]]:
        """Return the tags in the order sent."""
        return [
            (self.parameters.get(f"Tags.member.{i}.Key", ""), self.parameters.get(f"Tags.member.{i}.Value", ""))
            for i in self._numbers("Tags")
        ]

    def members(self, name: str) -> list[str]:
        """Return a parameter that is a list of strings, in the order sent."""
        return [self.parameters[f"{name}.member.{i}"] for i in self._numbers(name)]

    def _numbers(self, name: str) -> list[int]:
        pattern = re.compile(rf"{name}\.member\.(\d+)")
        found = {int(match.group(1)) for key in self.parameters if (match := pattern.match(key))}
        return sorted(found)


@dataclass(slots=True)
class Reply:
    """An answer as a WSGI application gave it."""

    status: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    def succeeded(self) -> bool:
        """Return whether the call had its effect."""
        return self.status.startswith("2")

    def send(self, start_response: Any) -> Iterable[bytes]:
        """Hand the answer to the server."""
        headers = [(name, value) for name, value in self.headers if name.lower() != "content-length"]
        start_response(self.status, [*headers, ("Content-Length", str(len(self.body)))])
        return [self.body]


def parameters_of(environ: Environ) -> dict[str, str]:
    """Return the parameters of a query request, leaving the body to be read again.

    They stand in a form, else in the address: so moto looks for them, and so they are what counts.
    """
    form = ""
    if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        form = body.decode("utf-8", "replace")
    return dict(parse_qsl(form or environ.get("QUERY_STRING", ""), keep_blank_values=True))


def read_request(environ: Environ, account: str, service: str, access_key: str) -> Request:
    """Read a query request; see `parameters_of`."""
    parameters = parameters_of(environ)
    return Request(account, service, parameters.get("Action", ""), parameters, access_key)


def with_parameters(environ: Environ, parameters: Mapping[str, str]) -> Environ:
    """Return the environment of the same request with other parameters, in its body."""
    body = urlencode(parameters).encode()
    return {
        **environ, "QUERY_STRING": "", "REQUEST_METHOD": "POST", "CONTENT_TYPE": "application/x-www-form-urlencoded",
        "wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body)),
    }  # fmt: skip


def call(application: Application, environ: Environ) -> Reply:
    """Run an application and collect its whole answer."""
    reply = Reply("500 none")

    def start(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> Callable[[bytes], None]:
        reply.status, reply.headers = status, headers
        return lambda _: None

    answer = application(environ, start)
    try:
        reply.body = b"".join(answer)
    finally:
        close = getattr(answer, "close", None)
        if close is not None:
            close()
    return reply


def refusal(error: RefusedError, service: str = "iam") -> Reply:
    """Return the error as the query protocol sends it."""
    status = _STATUS.get(error.code, 400)
    kind = "Receiver" if status >= 500 else "Sender"
    body = (
        f'<ErrorResponse xmlns="{_ORDINARY[service]}"><Error><Type>{kind}</Type><Code>{escape(error.code)}</Code>'
        f"<Message>{escape(error.message)}</Message></Error><RequestId>strict</RequestId></ErrorResponse>"
    )
    return Reply(f"{status} {error.code}", [("Content-Type", "text/xml")], body.encode())


def parse_xml(body: bytes) -> Xml.Element:
    """Parse an answer of moto."""
    return Xml.fromstring(body)  # noqa: S314 - moto's own answer, made in this process


def to_xml(root: Xml.Element) -> bytes:
    """Return the answer as bytes."""
    return bytes(Xml.tostring(root, encoding="utf-8"))


def tag(name: str) -> str:
    """Return an element's name as ElementTree spells it."""
    return f"{{{NAMESPACE}}}{name}"


def local(element: Xml.Element) -> str:
    """Return an element's name without its name space."""
    return element.tag.rpartition("}")[2]
