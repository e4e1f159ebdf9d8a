#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""suite_cloudwatch.py BUILD_DIR   Deliveries to CloudWatch Logs at a stand-in that judges requests by AWS's own code and data: botocore's signer over the
bytes as received, its model of the service (shapes, patterns, limits). No emulator of the service is to be had. Part of make test-deliver."""
import json
import os
import re
import signal
import sys
import time
from http.client import HTTPMessage

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path[:0] = [HERE, os.path.join(TESTS, "lib"), os.path.join(TESTS, "golden")]
from harness import Tap, check, equal, folder  # noqa: E402
from pki import collector  # noqa: E402
from aws_world import LIMIT, World, children, knocks, records, wait  # noqa: E402
from standins import AUTHORIZATION, Logs, Refused  # noqa: E402

import botocore.auth  # noqa: E402  (scripts/deps.sh deliver)
import botocore.awsrequest  # noqa: E402
import botocore.credentials  # noqa: E402
import botocore.session  # noqa: E402
import botocore.validate  # noqa: E402

MODEL = botocore.session.Session().get_service_model("logs")


def walk(shape, value, where=""):
    """What botocore.validate leaves to the service: unknown members, patterns, greatest lengths."""
    if shape.type_name == "structure":
        for name, inner in value.items():
            if name not in shape.members:
                raise Refused(400, "SerializationException", f"unknown member {where}.{name}")
            walk(shape.members[name], inner, f"{where}.{name}")
    elif shape.type_name == "list":
        if len(value) > shape.metadata.get("max", len(value)):
            raise Refused(400, "InvalidParameterException", f"{where} is too long")
        for inner in value:
            walk(shape.member, inner, where)
    elif shape.type_name == "string":
        pattern, most = shape.metadata.get("pattern"), shape.metadata.get("max")
        if pattern and not re.fullmatch(pattern, value) or most and len(value) > most:
            raise Refused(400, "InvalidParameterException", f"{where}: {value!r}")


def validate(operation, body):
    shape = MODEL.operation_model(operation).input_shape
    value = json.loads(body.decode("utf-8"))
    report = botocore.validate.ParamValidator().validate(value, shape)
    if report.has_errors():
        raise Refused(400, "InvalidParameterException", report.generate_report())
    walk(shape, value)


class Judge(Logs):
    """The stand-in, and botocore's own opinion of each signature."""

    def __init__(self, port=0):
        self.judged = 0
        super().__init__(port, validate=validate)

    def authorize(self, h, body):
        super().authorize(h, body)
        access, _, region, service, signed, signature = AUTHORIZATION.fullmatch(h.headers["Authorization"]).groups()
        request = botocore.awsrequest.AWSRequest(h.command, f"http://{h.headers['host']}{h.path}", data=body)
        request.context["timestamp"] = h.headers["x-amz-date"]
        names = HTTPMessage()
        for name in signed.split(";"):
            names[name] = h.headers[name]
        signer = botocore.auth.SigV4Auth(botocore.credentials.Credentials(access, self.keys[access][0]), service, region)
        signer.headers_to_sign = lambda _: names
        text = signer.canonical_request(request)
        if signer.signature(signer.string_to_sign(request, text), request) != signature:
            raise Refused(400, "InvalidSignatureException", text)
        self.judged += 1


def messages(logs):
    return sorted(m for events in list(logs.streams.values()) for _, m in events)


def main():
    tap = Tap()
    now = int(time.time()) - 4000
    with folder() as d:
        w = World(d)
        logs = Judge()
        opts = w.options("--cloudwatch-group", "flow/logs", "--cloudwatch-endpoint", logs.endpoint)
        store = w.path("store")
        with collector(store, "127.0.0.1:0", opts) as c:
            with tap.case("40,000 events in AWS's shapes, patterns and limits, each signature judged by botocore"):
                w.send(c, knocks(now, 40000))
                wait(lambda: messages(logs), records(store), 60)
                check(logs.judged >= 8, f"{logs.judged} signatures")
            with tap.case("throttled, unavailable, cut, the service killed and started: every event once"):
                logs.fault("PutLogEvents", Refused(400, "ThrottlingException", "Rate exceeded"), Refused(503, "ServiceUnavailableException"),
                           Refused(500, "InternalFailure"), "cut")
                w.send(c, knocks(now + 300, 20000))
                wait(lambda: messages(logs), records(store), 60)
                logs.close()
                w.send(c, knocks(now + 600, 1000))
                c.wait_for("cloudwatch: .*(Failed to connect|Couldn't connect|Recv failure|Empty reply)", "err")
                again = Judge(logs.port)
                again.groups, again.streams = logs.groups, logs.streams
                wait(lambda: messages(again), records(store), 60)
            with tap.case("kill -9 within a batch: no event is missing, and only those of that batch may be twice"):
                before = messages(again)
                again.fault("PutLogEvents", "hang")
                w.send(c, knocks(now + 900, 3000))
                check(again.busy.wait(LIMIT), "no request hangs")
                for pid in (c.p.pid, *children(c.p.pid)):
                    os.kill(pid, signal.SIGKILL)
                c.wait()
                again.release.set()
        with collector(store, "127.0.0.1:0", opts) as c:
            with tap.case("... and the next start goes on where it was"):
                wait(lambda: sorted(set(messages(again))), sorted(set(records(store))), 60)
                twice = len(messages(again)) - len(records(store))
                check(0 <= twice <= 3000, f"{twice} events too many")
                equal([m for m in before if messages(again).count(m) > 1][:1] if twice else [], [], "an event of before is there twice")
                equal(c.stop().code, 0, "exit")
        again.close()
    tap.done()


main()
