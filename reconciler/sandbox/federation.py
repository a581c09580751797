"""The federation endpoint of the console, as far as the sandbox has one: a token for a session, and a page for a token.

IAM User Guide, "Enable custom identity broker access to the AWS console": `getSigninToken` takes the credentials of a
session as JSON, `login` the token, which is good for fifteen minutes.
"""

from __future__ import annotations

import hmac
import json
import secrets
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from moto.iam.models import get_account_id_from
from moto.sts.models import sts_backends

from reconciler.sandbox import moment
from reconciler.sandbox.strict.wire import CREDENTIAL, Application, Environ, Reply, parameters_of

_PATH = "/federation"
_OWN = "/moto-api"
"""Below it moto has its own pages; whatever else is signed by nobody makes it fail."""

_SECONDS = 900


class Federation:
    """A WSGI layer with the endpoint; nobody's other requests it refuses, as AWS does."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._lock = threading.Lock()
        self._tokens: dict[str, tuple[str, float]] = {}

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """Serve one request."""
        if environ.get(CREDENTIAL) is not None or environ["PATH_INFO"].startswith(_OWN):
            return self._application(environ, start_response)
        if environ["PATH_INFO"] != _PATH:
            return _text("403 Forbidden", "The request is signed by nobody.").send(start_response)
        parameters = parameters_of(environ)
        match parameters.get("Action"):
            case "getSigninToken":
                reply = self._token(parameters.get("Session", ""))
            case "login":
                reply = self._page(parameters.get("SigninToken", ""))
            case _:
                reply = _text("400 Bad Request", "The Action is getSigninToken or login.")
        return reply.send(start_response)

    def _token(self, text: str) -> Reply:
        try:
            stated = json.loads(text)
            keys = [str(stated[name]) for name in ("sessionId", "sessionKey", "sessionToken")]
        except (ValueError, KeyError, TypeError, RecursionError):
            return _text("400 Bad Request", "The Session is no JSON with sessionId, sessionKey and sessionToken.")
        found = _session(keys[0])
        known = found is not None and [found.access_key_id, found.secret_access_key, found.session_token]
        if not known or not all(map(hmac.compare_digest, map(str.encode, keys), map(str.encode, known))):
            return _text("400 Bad Request", "There is no such session, or it has ended.")
        token, now = secrets.token_urlsafe(48), moment.now()
        with self._lock:
            self._tokens = {key: one for key, one in self._tokens.items() if one[1] > now}
            self._tokens[token] = (keys[0], now + _SECONDS)
        return Reply("200 OK", [("Content-Type", "application/json")], json.dumps({"SigninToken": token}).encode())

    def _page(self, token: str) -> Reply:
        with self._lock:
            key, until = self._tokens.get(token, ("", 0.0))
        found = _session(key) if until > moment.now() else None
        if found is None:
            return _text("400 Bad Request", "The link has ended, or is none. Ask `xgrant console` for a new one.")
        ends = f"{found.expiration.replace(tzinfo=UTC):%Y-%m-%dT%H:%M:%SZ}"
        return _text("200 OK", f"You are {found.arn} until {ends}. The sandbox has no console beyond this page.")


def _session(key: str) -> Any | None:
    """Return the session that has an access key and goes on; None where there is none."""
    if not key.startswith("ASIA"):
        return None
    backend: Any = sts_backends[get_account_id_from(key)]["aws"]
    found = backend.get_assumed_role_from_access_key(key)
    ended = found is None or found.expiration.replace(tzinfo=UTC) <= datetime.fromtimestamp(moment.now(), UTC)
    return None if ended else found


def _text(status: str, words: str) -> Reply:
    headers = [("Content-Type", "text/plain; charset=utf-8"), ("X-Content-Type-Options", "nosniff")]
    return Reply(status, headers, f"{words}\n".encode())
