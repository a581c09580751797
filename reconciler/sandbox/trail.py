"""CloudTrail's event history: what asks for sessions of roles is written down as AWS does, and LookupEvents tells it.

Facts sheet 8.1, 8.2: both accounts get a copy of what went well, only the caller's account gets what was refused; a
lookup has one attribute, pages of fifty at most with tokens for the very same request, and two calls a second for each
account and region. moto has trails, and no events.
"""

from __future__ import annotations

import calendar
import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from moto.cloudtrail.responses import CloudTrailResponse
from moto.core.exceptions import JsonRESTError
from moto.iam.models import get_account_id_from

from reconciler.sandbox.strict.accounts import principal_with_arn
from reconciler.sandbox.strict.callers import Caller, caller_of
from reconciler.sandbox.strict.wire import (
    CREDENTIAL,
    Application,
    Environ,
    Reply,
    Request,
    call,
    local,
    parameters_of,
    parse_xml,
    read_request,
    to_xml,
)

_PAGE = 50
_CALLS = 2
_ATTRIBUTES = {"EventName": "eventName", "EventId": "eventID", "EventSource": "eventSource"}
_SENT = {
    "RoleArn": "roleArn",
    "RoleSessionName": "roleSessionName",
    "ExternalId": "externalId",
    "SerialNumber": "serialNumber",
    "SourceIdentity": "sourceIdentity",
    "DurationSeconds": "durationSeconds",
}

Record = Mapping[str, Any]


@dataclass(slots=True)
class History:
    """The events of all accounts. `clock` is what the pace of calls is measured by; it is told of each in `called`."""

    clock: Callable[[], float] = time.monotonic
    now: Callable[[], float] = time.time
    called: list[tuple[str, str, float, bool]] = field(default_factory=list)
    """Each call: account, region, when, and whether it was let through."""
    closed: set[tuple[str, str]] = field(default_factory=set)
    """Accounts with regions that are denied in them, as a service control policy does."""
    _records: dict[tuple[str, str], list[Record]] = field(default_factory=lambda: defaultdict(list))
    _tokens: dict[str, tuple[str, int]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def clear(self) -> None:
        """Forget everything, and go by the real clock."""
        with self._lock:
            self.clock, self.now = time.monotonic, time.time
            self._records.clear()
            self._tokens.clear()
            self.closed.clear()
            self.called = []

    def put(self, *records: Record) -> None:
        """Add events, each to the account that receives it and the region in which it was."""
        with self._lock:
            for record in records:
                self._records[record["recipientAccountId"], record["awsRegion"]].append(record)

    def lookup(self, account: str, region: str, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Answer LookupEvents.

        Raises:
            JsonRESTError: as AWS refuses, with its codes.

        """
        with self._lock:
            self._check_pace(account, region)
            if (account, region) in self.closed:
                raise JsonRESTError("AccessDeniedException", "denied with an explicit deny in a service control policy")
            self._check(asked)
            same = json.dumps({**asked, "NextToken": None}, sort_keys=True)
            owner, at = self._tokens.get(asked.get("NextToken", ""), (same, 0))
            if owner != same or (at == 0 and "NextToken" in asked):
                raise JsonRESTError(
                    "InvalidNextTokenException", "The token is invalid or was used for other parameters."
                )
            found = sorted(
                filter(lambda one: _fits(one, asked), self._records[account, region]), key=_time, reverse=True
            )
            size = asked.get("MaxResults", _PAGE)
            answer: dict[str, Any] = {"Events": [_shown(record) for record in found[at : at + size]]}
            if at + size < len(found):
                token = uuid4().hex
                self._tokens[token] = (same, at + size)
                answer["NextToken"] = token
            return answer

    def _check_pace(self, account: str, region: str) -> None:
        now = self.clock()
        recent = [one for one in self.called if one[:2] == (account, region) and one[3] and now - one[2] < 1]
        good = len(recent) < _CALLS
        self.called.append((account, region, now, good))
        if not good:
            raise JsonRESTError("ThrottlingException", "Rate exceeded")

    @staticmethod
    def _check(asked: Mapping[str, Any]) -> None:
        attributes = asked.get("LookupAttributes", [])
        if len(attributes) > 1 or any(one.get("AttributeKey") not in _ATTRIBUTES for one in attributes):
            raise JsonRESTError("InvalidLookupAttributesException", "One attribute may be looked up, of those known.")
        if not 1 <= asked.get("MaxResults", _PAGE) <= _PAGE:
            raise JsonRESTError("InvalidMaxResultsException", f"MaxResults is from 1 to {_PAGE}.")
        if asked.get("StartTime", 0) > asked.get("EndTime", float("inf")):
            raise JsonRESTError("InvalidTimeRangeException", "The start is after the end.")


HISTORY = History()
"""That of this process, as moto has its accounts."""


def _lookup_events(response: Any) -> str:
    return json.dumps(HISTORY.lookup(response.current_account, response.region, json.loads(response.body)))


# moto has all of the service but this; there it checks who may call.
CloudTrailResponse.lookup_events = _lookup_events  # type: ignore[attr-defined]


class Writing:
    """A WSGI layer that writes down who asked for a session of a role, and what came of it."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """Serve one request."""
        access_key, service = environ.get(CREDENTIAL, ("", ""))
        if service == "ec2" and parameters_of(environ).get("Action") == "DescribeRegions":
            return _of_one_partition(call(self._application, environ)).send(start_response)
        if service == "cloudtrail":
            return _in_json(call(self._application, environ)).send(start_response)
        if service != "sts" or not access_key:
            return self._application(environ, start_response)
        account = environ.get("HTTP_X_MOTO_ACCOUNT_ID") or get_account_id_from(access_key)
        request = read_request(environ, account, service, access_key)
        if request.operation != "AssumeRole":
            return self._application(environ, start_response)
        who = caller_of(request)
        reply = call(self._application, environ)
        if who is not None:
            HISTORY.put(*_records(environ, request, who, reply))
        return reply.send(start_response)


def _in_json(reply: Reply) -> Reply:
    """Return a refusal as this service writes it; moto writes those of IAM in XML for all."""
    if reply.succeeded() or not reply.body.startswith(b"<"):
        return reply
    said = {local(element): element.text or "" for element in parse_xml(reply.body).iter()}
    code = {"AccessDenied": "AccessDeniedException", "InvalidClientTokenId": "UnrecognizedClientException"}.get(
        said["Code"], said["Code"]
    )
    body = json.dumps({"__type": code, "message": said["Message"]}).encode()
    return Reply(reply.status, [("Content-Type", "application/x-amz-json-1.1")], body)


def _of_one_partition(reply: Reply) -> Reply:
    """Leave out the regions of China and of the government, which moto lists too."""
    if not reply.succeeded():
        return reply
    root = parse_xml(reply.body)
    for found in root.iter():
        if local(found) == "regionInfo":
            for item in list(found):
                name = next((part.text or "" for part in item if local(part) == "regionName"), "")
                if name.startswith(("cn-", "us-gov-")):
                    found.remove(item)
    return Reply(reply.status, reply.headers, to_xml(root))


def _records(environ: Environ, request: Request, who: Caller, reply: Reply) -> list[Record]:
    arn = request.get("RoleArn") or ""
    owner = (arn.split(":") + [""] * 5)[4]
    record = {
        "eventVersion": "1.08",
        "userIdentity": _identity(who, request.access_key),
        "eventTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(HISTORY.now())),
        "eventSource": "sts.amazonaws.com",
        "eventName": request.operation,
        "awsRegion": environ.get("HTTP_AUTHORIZATION", "///us-east-1").split("/")[2],
        "sourceIPAddress": environ.get("REMOTE_ADDR", ""),
        "userAgent": environ.get("HTTP_USER_AGENT", ""),
        "requestParameters": {name: request.get(sent) for sent, name in _SENT.items() if request.get(sent)},
        "responseElements": None,
        "eventID": str(uuid4()),
        "readOnly": True,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": who.account,
    }
    answer = {local(element): element.text or "" for element in parse_xml(reply.body).iter()}
    if not reply.succeeded():
        return [{**record, "errorCode": answer.get("Code", ""), "errorMessage": answer.get("Message", "")}]
    record["responseElements"] = {
        "credentials": {
            "accessKeyId": answer["AccessKeyId"],
            "sessionToken": "...",
            "expiration": answer["Expiration"],
        },
        "assumedRoleUser": {"assumedRoleId": answer["AssumedRoleId"], "arn": answer["Arn"]},
    }
    record["resources"] = [{"ARN": arn, "accountId": owner, "type": "AWS::IAM::Role"}]
    role = principal_with_arn(arn)
    if role is not None:
        record["responseElements"]["assumedRoleUser"]["assumedRoleId"] = f"{role.id}:{request.get('RoleSessionName')}"
    if owner == who.account:
        return [record]
    record["sharedEventID"] = str(uuid4())
    hidden = {"type": "AWSAccount", "principalId": record["userIdentity"]["principalId"], "accountId": who.account}
    return [record, {**record, "userIdentity": hidden, "eventID": str(uuid4()), "recipientAccountId": owner}]


def _identity(who: Caller, access_key: str) -> dict[str, Any]:
    name = who.entity_arn.rsplit("/", 1)[-1]
    known = {"arn": who.arn, "accountId": who.account, "accessKeyId": access_key}
    if who.arn == who.entity_arn:
        return {"type": "IAMUser", "principalId": who.entity_id, **known, "userName": name}
    issuer = {"type": "Role", "principalId": who.entity_id, "arn": who.entity_arn, "accountId": who.account}
    return {
        "type": "AssumedRole",
        "principalId": f"{who.entity_id}:{who.arn.rsplit('/', 1)[-1]}",
        **known,
        "sessionContext": {
            "sessionIssuer": {**issuer, "userName": name},
            "attributes": {"mfaAuthenticated": "false"},
        },
    }


def _fits(record: Record, asked: Mapping[str, Any]) -> bool:
    when = _time(record)
    wanted = asked.get("LookupAttributes", [])
    return (
        asked.get("StartTime", 0) <= when <= asked.get("EndTime", float("inf"))
        and all(record.get(_ATTRIBUTES[one["AttributeKey"]]) == one["AttributeValue"] for one in wanted)
    )  # fmt: skip


def _time(record: Record) -> float:
    return calendar.timegm(time.strptime(record["eventTime"], "%Y-%m-%dT%H:%M:%SZ"))


def _shown(record: Record) -> dict[str, Any]:
    return {
        "EventId": record["eventID"], "EventName": record["eventName"], "EventSource": record["eventSource"],
        "ReadOnly": "true", "EventTime": _time(record), "CloudTrailEvent": json.dumps(record),
    }  # fmt: skip
