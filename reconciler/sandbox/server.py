"""moto's own application behind a WSGI layer that records calls, served on loopback.

moto is laxer than AWS: what it takes, AWS may refuse. It checks identity policies once enforcement is on; it never
checks the trust policy of a role in another account. With `strict` a second layer does what AWS does.
"""

from __future__ import annotations

import os
import re
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from moto import settings
from moto.core.authorization import ActionAuthenticatorMixin
from moto.iam.models import get_account_id_from
from moto.moto_api._internal.models import moto_api_backend
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from reconciler.sandbox.emulator import emulator
from reconciler.sandbox.federation import Federation
from reconciler.sandbox.strict import analyzer, simulator
from reconciler.sandbox.strict.layer import Strict
from reconciler.sandbox.strict.wire import (
    CREDENTIAL,
    Application,
    Environ,
    RefusedError,
    parameters_of,
    read_request,
    refusal,
)
from reconciler.sandbox.trail import HISTORY, History, Writing

_SCOPE = re.compile(r"Credential=([^/,\s]+)/\d+/[^/]+/([^/]+)/aws4_request")
_STS_VERSION = "2011-06-15"
_UNSIGNED = ("AssumeRoleWithWebIdentity", "AssumeRoleWithSAML")
_READS = ("Get", "List", "Head", "AssumeRole", "Simulate")


@dataclass(frozen=True, slots=True)
class Call:
    """One API call as it came in: the account of its credentials, the service, the operation or HTTP method.

    An unsigned one is in the account of the role that it asks for. `status` is that of the answer; 0 without one.
    """

    account: str
    service: str
    operation: str
    status: int = 0

    def writes(self) -> bool:
        """Return whether it is a call that changes something."""
        return not self.operation.startswith(_READS)


class Recorder:
    """A WSGI layer that notes every call before it hands it on."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._lock = threading.Lock()
        self._calls: list[list[Call]] = []

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """Serve one request."""
        credential = _credential(environ)
        if credential is None:
            return self._application(environ, start_response)
        environ[CREDENTIAL] = credential
        # In the order of coming in; the status is put in its place later.
        entry = [_call_of(environ, *credential)]
        with self._lock:
            self._calls.append(entry)

        def note(status: str, *rest: Any) -> Any:
            entry[0] = replace(entry[0], status=int(status.split(" ", 1)[0]))
            return start_response(status, *rest)

        if credential == ("", "sts") and entry[0].operation not in _UNSIGNED:
            error = RefusedError("MissingAuthenticationToken", "Request is missing Authentication Token")
            return refusal(error, "sts").send(note)
        return self._application(environ, note)

    def take(self) -> list[Call]:
        """Return the calls since the last time, and forget them."""
        with self._lock:
            calls, self._calls = self._calls, []
        return [call for (call,) in calls]


class _Simulating:
    """A WSGI layer that answers what moto does not know: what verify asks, and Access Analyzer, with a no."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """Serve one request."""
        access_key, service = environ.get(CREDENTIAL, ("", ""))
        if service == "access-analyzer":
            analyzer.read_call(
                environ, get_account_id_from(access_key), access_key
            )  # Else the next call begins with it.
            none = "this sandbox has no Access Analyzer; xgrant sandbox --strict has some of it"
            return analyzer.refused(RefusedError("ValidationException", none)).send(start_response)
        if service != "iam" or parameters_of(environ).get("Action") != simulator.OPERATION:
            return self._application(environ, start_response)
        account = environ.get("HTTP_X_MOTO_ACCOUNT_ID") or get_account_id_from(access_key)
        request = read_request(environ, account, service, access_key)
        try:
            reply = simulator.answer(request, enforcing=settings.INITIAL_NO_AUTH_ACTION_COUNT == 0)
        except RefusedError as error:
            reply = refusal(error)
        return reply.send(start_response)


def counted(calls: Iterable[Call]) -> Counter[str]:
    """Return how often each operation was called."""
    return Counter(call.operation for call in calls)


class Sandbox:
    """An emulated AWS on a loopback port; a context manager, whose server ends with it.

    moto keeps its accounts in the process, so there is one sandbox in a process at a time. With `aws_policies` every
    account has AWS's own managed policies, which takes half a second at each reset. With `strict` it refuses what AWS
    refuses, and answers in orders and spellings that follow from `seed`.
    """

    def __init__(self, port: int = 0, *, aws_policies: bool = True, strict: bool = False, seed: int = 0) -> None:
        self._aws_policies = aws_policies
        moto = emulator()
        self._strict = Strict(moto, seed) if strict else None
        self.recorder = Recorder(Federation(Writing(self._strict or _Simulating(moto))))
        self._server: BaseWSGIServer = make_server(
            "127.0.0.1", port, self.recorder, threaded=True, request_handler=_QuietHandler
        )
        self._thread = threading.Thread(target=self._server.serve_forever, name="sandbox", daemon=True)

    @property
    def url(self) -> str:
        """Return the endpoint, for AWS_ENDPOINT_URL."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def strict(self) -> Strict:
        """Return the strict layer: its quotas, faults and ways to plant what no client can make.

        Raises:
            ValueError: if the sandbox is not strict.

        """
        if self._strict is None:
            raise ValueError("this sandbox is not strict")
        return self._strict

    @property
    def history(self) -> History:
        """Return what CloudTrail knows of all accounts."""
        return HISTORY

    def __enter__(self) -> Sandbox:
        self._thread.start()
        self.reset()
        return self

    def __exit__(self, *_: object) -> None:
        self.reset()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def reset(self) -> None:
        """Empty every account, and check nobody's permissions."""
        self.enforce(on=False)
        # moto's only switch for this, which it reads whenever it makes an account. It makes those anew that it is to
        # forget; the sandbox before may differ.
        os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "false"
        moto_api_backend.reset()
        os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true" if self._aws_policies else "false"
        if self._strict is not None:
            self._strict.clear()
        HISTORY.clear()
        self.recorder.take()

    def enforce(self, *, on: bool) -> None:
        """Switch the check of identity policies on or off, for all callers; of trust policies too if strict."""
        if self._strict is not None:
            self._strict.enforcing = on
        # moto checks nobody until so many calls were made.
        settings.INITIAL_NO_AUTH_ACTION_COUNT = 0 if on else float("inf")
        ActionAuthenticatorMixin.request_count = 0


class _QuietHandler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        """Say nothing: the terminal belongs to the command."""


def _credential(environ: Environ) -> tuple[str, str] | None:
    """Return the access key and the service of an API call; none is no call, but one to moto itself.

    An address may be signed in itself; some calls of STS are signed by nobody.
    """
    signed = environ.get("HTTP_AUTHORIZATION") or "Credential=" + parameters_of(environ).get("X-Amz-Credential", "")
    found = _SCOPE.search(signed)
    if found is not None:
        return (found.group(1), found.group(2))
    return ("", "sts") if parameters_of(environ).get("Version") == _STS_VERSION else None


def _call_of(environ: Environ, access_key: str, service: str) -> Call:
    parameters = parameters_of(environ)
    # In a form, in a header of JSON services, or the method itself of S3.
    target = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
    operation = parameters.get("Action") or target or environ["REQUEST_METHOD"].capitalize()
    account = environ.get("HTTP_X_MOTO_ACCOUNT_ID")
    if account is None and not access_key:
        account = (parameters.get("RoleArn", "").split(":") + [""] * 5)[4]
    return Call(account or get_account_id_from(access_key), service, operation)


def writes(calls: Iterable[Call]) -> Iterator[Call]:
    """Yield the calls that change something."""
    return (call for call in calls if call.writes())
