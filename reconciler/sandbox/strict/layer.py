"""The strict layer: checks before moto, moto, and its answer made AWS's."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from xml.etree import ElementTree as Xml

from moto.core.authorization import ActionAuthenticatorMixin
from moto.iam.models import get_account_id_from

from reconciler.sandbox.strict import accounts, analyzer, assume, documents, limits, names, simulator, tags, writes
from reconciler.sandbox.strict.authorize import Judged, check_allowed, judging, of_object
from reconciler.sandbox.strict.faults import Faults, Kind, error_after, error_of
from reconciler.sandbox.strict.leniency import lenient
from reconciler.sandbox.strict.principals import Trusts
from reconciler.sandbox.strict.reads import PAGED, Reads
from reconciler.sandbox.strict.wire import (
    CREDENTIAL,
    Application,
    Environ,
    RefusedError,
    Reply,
    Request,
    call,
    local,
    parse_xml,
    read_request,
    refusal,
    tag,
    to_xml,
    with_parameters,
)

_IDS = ("RoleId", "UserId", "GroupId", "PolicyId")
# Above what any test makes: moto is asked for everything, and the page is cut here.
_EVERYTHING = "1000000"


class Strict:
    """A WSGI layer over moto; `quotas` are those raised or lowered per account, under GetAccountSummary's names."""

    def __init__(self, application: Application, seed: int = 0) -> None:
        self._application = application
        # One IAM call at a time: a check and the write it allows belong together.
        self._lock = threading.RLock()
        self.quotas: dict[str, dict[str, int]] = {}
        self.trusts = Trusts()
        self.faults = Faults(seed)
        self.enforcing = False
        self.judged: Callable[[Judged], None] = lambda _: None
        """Is told of each answer to who may do what, while permissions are enforced."""
        self._reads = Reads(seed)

    def clear(self) -> None:
        """Forget everything, as the sandbox is emptied."""
        with self._lock:
            self.quotas.clear()
            self.trusts.clear()
            self.faults.clear()
            self.judged = lambda _: None
            self._reads.clear()

    def add_protected_role(
        self, account: str, name: str, path: str, trust: Mapping[str, Any], *, allows: Mapping[str, Any] | None = None
    ) -> None:
        """Make a role that only AWS can make, such as an `AWSReservedSSO_` one; `allows` is its inline policy."""
        with self._lock:
            iam = accounts.backend(account)
            iam.create_role(name, json.dumps(trust), path, None, "made by AWS", [], max_session_duration="3600")
            if allows is not None:
                iam.put_role_policy(name, "AwsSSOInlinePolicy", json.dumps(allows))

    def give_fewer(self) -> None:
        """Let GetAccountAuthorizationDetails give fewer than MaxItems at times, as AWS may (facts sheet 2.1)."""
        self._reads.fewer = True

    def plant_trust(self, account: str, name: str, text: str) -> None:
        """Give a role a trust policy that AWS would refuse today and may have kept from long ago."""
        with self._lock:
            accounts.backend(account).get_role(name).assume_role_policy_document = text

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """Serve one request; only IAM, and STS's AssumeRole, are made strict; Access Analyzer is its own."""
        access_key, service = environ.get(CREDENTIAL, ("", ""))
        if service == "access-analyzer":
            return self._analyzer(environ, access_key).send(start_response)
        if service not in ("iam", "sts"):
            with self._lock:
                return self._moto(environ).send(start_response)
        account = environ.get("HTTP_X_MOTO_ACCOUNT_ID") or get_account_id_from(access_key)
        request = read_request(environ, account, service, access_key)
        with self._lock:
            struck = self.faults.strike(request)
            if struck is Kind.CUT_BEFORE:
                _cut(environ)
            reply = self._answer(environ, request, struck)
            self.faults.observer(request)
            if struck is Kind.CUT_AFTER:
                _cut(environ)
            if struck is Kind.BAD_GATEWAY:
                reply = Reply("502 Bad Gateway", [("Content-Type", "text/html")], self.faults.proxy_says)
            if struck is not None and reply.succeeded() and (error := error_after(struck)) is not None:
                reply = refusal(error, request.service)
        return reply.send(start_response)

    def _analyzer(self, environ: Environ, access_key: str) -> Reply:
        """Answer for Access Analyzer, which moto does not have."""
        account = environ.get("HTTP_X_MOTO_ACCOUNT_ID") or get_account_id_from(access_key)
        request, sent = analyzer.read_call(environ, account, access_key)
        with self._lock:
            struck = self.faults.strike(request)
            try:
                error = None if struck is None else error_of(struck)
                if error is not None:
                    raise error
                return analyzer.answer(request, sent)
            except RefusedError as refused:
                return analyzer.refused(refused)

    def _answer(self, environ: Environ, request: Request, struck: Kind | None) -> Reply:
        try:
            error = None if struck is None else error_of(struck)
            if error is not None:
                raise error
            if self.enforcing:
                check_allowed(request, self.judged)
            if request.service == "sts":
                names.check_parameters(request)
                assume.check_duration(request)
                if self.enforcing:
                    assume.check_trust(request)
                unsigned = request.operation == "AssumeRoleWithWebIdentity"
                return self._unchecked(environ) if unsigned else self._moto(environ)
            return self._iam(environ, request)
        except RefusedError as error:
            return refusal(error, request.service)

    def _moto(self, environ: Environ) -> Reply:
        with judging(self.judged, of_object(environ)):
            return call(self._application, environ)

    def _iam(self, environ: Environ, request: Request) -> Reply:
        self.faults.check_named(request)
        self._check(request)
        if request.operation == simulator.OPERATION:
            return simulator.answer(request, enforcing=self.enforcing)
        held: str | None = None
        if (where := _trust_parameter(request)) is not None:
            held = self.trusts.stored(request.parameters[where], self.faults.visible_as_principal)
        if request.operation in PAGED:
            self._reads.page_size(request)
            if "Marker" in request.parameters:
                # Nobody can guess a marker: who has one was let in to the first page.
                return Reply("200 OK", [("Content-Type", "text/xml")], to_xml(self._reads.next_page(request)))
            reply = self._read_everything(environ, request)
            reply = self.faults.as_shown(request, reply) if reply.succeeded() else reply
        else:
            tagged = tags.held(request)
            with lenient():
                reply = self._moto(environ)
            if reply.succeeded():
                tags.settle(request, tagged)
        if not reply.succeeded():
            return reply
        self.faults.written(request)
        for old, new in accounts.give_ids(request.account).items():
            reply.body = reply.body.replace(old.encode(), new.encode())
        if held is not None:
            role = accounts.holders(request.account, "Role")[request.parameters["RoleName"]]
            role.assume_role_policy_document = held
        return self._rewrite(request, reply)

    def _read_everything(self, environ: Environ, request: Request) -> Reply:
        """Return all of what is asked for, if the caller may: the request is asked as it is signed, then unsigned."""
        if self.enforcing:
            allowed = self._moto(environ)
            if not allowed.succeeded():
                return allowed
        return self._unchecked(with_parameters(environ, {**request.parameters, "MaxItems": _EVERYTHING}))

    def _unchecked(self, environ: Environ) -> Reply:
        """Ask moto for what is let in already and is signed by nobody."""
        counted = ActionAuthenticatorMixin.request_count
        # moto checks nobody until as many calls are made; the lock keeps all others out meanwhile.
        ActionAuthenticatorMixin.request_count = -sys.maxsize
        try:
            return self._moto(environ)
        finally:
            ActionAuthenticatorMixin.request_count = counted

    def _check(self, request: Request) -> None:
        names.check_parameters(request)
        tags.check_tags(request)
        writes.check_protected(request)
        if (where := _trust_parameter(request)) is not None:
            documents.check_trust(request.parameters[where])
        elif "PolicyDocument" in request.parameters:
            documents.check_identity(request.parameters["PolicyDocument"])
        names.check_unique(request)
        limits.check_limits(request, self._quotas(request.account))
        writes.check_boundary(request)
        writes.check_delete(request)

    def _quotas(self, account: str) -> dict[str, int]:
        return accounts.QUOTAS | self.quotas.get(account, {})

    def _rewrite(self, request: Request, reply: Reply) -> Reply:
        root = parse_xml(reply.body)
        if not len(root) or not local(root[0]).endswith("Result"):
            return reply
        if request.operation.startswith("Create"):
            self._note_new(request, root[0])
        elif request.operation == "GetAccountSummary":
            quotas = self._quotas(request.account)
            for entry in root.iter(tag("entry")):
                key = entry.findtext(tag("key")) or ""
                if key in quotas:
                    entry[1].text = str(quotas[key])
        self._reads.rewrite(request, root)
        return self._xml(reply, root)

    def _note_new(self, request: Request, result: Xml.Element) -> None:
        for name in _IDS:
            for found in result.iter(tag(name)):
                arn = next(result.iter(tag("Arn"))).text or ""
                self.faults.born(found.text or "", request.account, request.get("RoleName") or arn)

    @staticmethod
    def _xml(reply: Reply, root: Xml.Element) -> Reply:
        return Reply(reply.status, reply.headers, to_xml(root))


def _trust_parameter(request: Request) -> str | None:
    """Return the name of the parameter that carries a trust policy, if the call sends one."""
    where = {"CreateRole": "AssumeRolePolicyDocument", "UpdateAssumeRolePolicy": "PolicyDocument"}
    name = where.get(request.operation)
    return name if name in request.parameters else None


def _cut(environ: Environ) -> None:
    """End the connection without an answer; werkzeug takes the error for a client that has gone."""
    environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError("cut by a fault of the sandbox")
