# SPDX-License-Identifier: Apache-2.0
"""Stand-ins on loopback for the services of AWS that records go to: S3, CloudWatch Logs, the metadata service. For tests without Ceph and botocore.

They check what they are sent: SigV4 is computed anew here from the bytes as received, digests and limits are held to AWS's documentation. Faults
come from a list: (what it is for, what happens), each used once, in order.
"""
import base64
import calendar
import contextlib
import hashlib
import hmac
import http.server
import json
import re
import socket
import threading
import time
import urllib.parse

KEYS = {"AKIDTESTTEST": ("PlantedSecret0123456789abcdefghijklmnopq", None)}
AUTHORIZATION = re.compile(r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})")


class Refused(Exception):
    def __init__(self, status, code, message="", headers=(), body=None):
        super().__init__(code)
        self.status, self.code, self.message, self.headers, self.body = status, code, message, dict(headers), body


def sign(secret, day, region, service, text):
    key = ("AWS4" + secret).encode()
    for part in (day, region, service, "aws4_request", text):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key.hex()


def unreserved(text):
    return urllib.parse.quote(text, safe="-._~")


def canonical(method, target, headers, signed, payload):
    path, _, query = target.partition("?")
    path = "/".join(unreserved(urllib.parse.unquote(p)) for p in path.split("/"))
    pairs = sorted((unreserved(urllib.parse.unquote(k)), unreserved(urllib.parse.unquote(v)))
                   for k, _, v in (x.partition("=") for x in query.split("&") if x))
    lines = "".join(f"{name}:{','.join(' '.join(v.split()) for v in headers.get_all(name) or [''])}\n" for name in signed)
    return "\n".join((method, path, "&".join(f"{k}={v}" for k, v in pairs), lines, ";".join(signed), payload))


class Service:
    """One HTTP server; `name` is the service in the credential scope. `seen`: (method, target, body length) of all that came."""

    def __init__(self, name, port=0, keys=None):
        self.name, self.keys, self.faults, self.seen, self.skew, self.lock = name, dict(keys or KEYS), [], [], 0, threading.Lock()
        self.open = []  # connections
        self.busy = threading.Event()  # of a fault "hang": somebody waits
        self.release = threading.Event()
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_):
                pass

            def date_time_string(self, timestamp=None):
                return super().date_time_string(time.time() + service.skew if timestamp is None else timestamp)

            def serve(self):
                service.serve(self)

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = serve

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def process_request(self, request, client_address):
                service.open.append(request)
                super().process_request(request, client_address)

            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": .02}, daemon=True).start()

    def close(self):
        self.release.set()
        self.server.shutdown()
        self.server.server_close()
        for connection in self.open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def fault(self, what, *faults):
        """`what`: regular expression on "METHOD target operation"; a fault: Refused, "lost" (done, but the answer is not sent), "cut" (not done,
        no answer), "hang" (no answer until release)."""
        with self.lock:
            self.faults += [(re.compile(what), f) for f in faults]

    def _fault(self, what):
        with self.lock:
            for i, (pattern, fault) in enumerate(self.faults):
                if pattern.search(what):
                    del self.faults[i]
                    return fault
        return None

    def serve(self, h):
        body = h.rfile.read(int(h.headers.get("Content-Length", 0)))
        what = f"{h.command} {h.path} {h.headers.get('X-Amz-Target', '')}"
        with self.lock:
            self.seen.append((what, len(body)))
        fault = self._fault(what)
        try:
            if fault == "cut":
                h.close_connection = True
                return
            if fault == "hang":
                self.busy.set()
                self.release.wait(60)
                h.close_connection = True
                return
            if isinstance(fault, Refused):
                raise fault
            self.authorize(h, body)
            with self.lock:
                status, headers, answer = self.handle(h, body)
            if fault == "lost":
                h.close_connection = True
                return
        except Refused as e:
            status, headers, answer = self.refusal(e)
        h.send_response(status)
        for name, value in headers.items():
            h.send_header(name, value)
        if h.command != "HEAD":
            h.send_header("Content-Length", str(len(answer)))
        h.end_headers()
        if h.command != "HEAD":
            h.wfile.write(answer)

    def authorize(self, h, body):
        m = AUTHORIZATION.fullmatch(h.headers.get("Authorization", ""))
        if not m:
            raise Refused(403, "AccessDenied", "no signature")
        access, day, region, service, signed, signature = m.groups()
        if access not in self.keys:
            raise Refused(403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
        secret, token = self.keys[access]
        if h.headers.get("x-amz-security-token") != token:
            raise Refused(400, "ExpiredToken" if self.name == "s3" else "ExpiredTokenException",
                          "The provided token has expired.")
        dates = h.headers.get_all("x-amz-date") or []
        names = signed.split(";")
        must = {"host", "x-amz-date"} | {n.lower() for n in h.headers if n.lower().startswith("x-amz-")}
        if len(dates) != 1 or dates[0][:8] != day or service != self.name or names != sorted(names) or not must <= set(names):
            raise Refused(403, "SignatureDoesNotMatch", "scope, date or signed headers")
        payload = hashlib.sha256(body).hexdigest()
        if self.name == "s3" and h.headers.get("x-amz-content-sha256") != payload:
            raise Refused(400, "XAmzContentSHA256Mismatch", "")
        text = canonical(h.command, h.path, h.headers, names, payload)
        to_sign = f"AWS4-HMAC-SHA256\n{dates[0]}\n{day}/{region}/{service}/aws4_request\n{hashlib.sha256(text.encode()).hexdigest()}"
        if sign(secret, day, region, service, to_sign) != signature:
            raise Refused(403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided.")
        if abs(calendar.timegm(time.strptime(dates[0], "%Y%m%dT%H%M%SZ")) - time.time() - self.skew) > 900:
            raise self.skewed(dates[0])

    def skewed(self, date):
        return Refused(403, "RequestTimeTooSkewed", f"The difference between the request time and the current time is too large: {date}")


class S3(Service):
    """PUT, HEAD, multipart and its list of a few objects. Nothing is replaced without being noticed: `replaced`."""

    def __init__(self, port=0, keys=None):
        self.objects, self.headers, self.uploads, self.replaced = {}, {}, {}, []
        super().__init__("s3", port, keys)

    def refusal(self, e):
        text = f"<?xml version=\"1.0\"?><Error><Code>{e.code}</Code><Message>{e.message}</Message></Error>"
        return e.status, {"Content-Type": "application/xml", **e.headers}, (e.body or text).encode()

    def check(self, h, body):
        for name, digest in (("Content-MD5", hashlib.md5), ("x-amz-checksum-sha256", hashlib.sha256)):
            if h.headers.get(name) != base64.b64encode(digest(body).digest()).decode():
                raise Refused(400, "BadDigest", name)

    def store(self, key, body, headers):
        if key in self.objects:
            self.replaced.append(key)
        self.objects[key] = body
        self.headers[key] = {k.lower(): v for k, v in headers.items()}

    def handle(self, h, body):
        path, _, query = h.path.partition("?")
        bucket, _, key = urllib.parse.unquote(path)[1:].partition("/")
        q = dict(urllib.parse.parse_qsl(query, keep_blank_values=True))
        if bucket != "evidence":
            raise Refused(404, "NoSuchBucket", "The specified bucket does not exist")
        none = h.headers.get("If-None-Match") == "*"
        if h.command == "PUT" and "partNumber" in q:
            self.check(h, body)
            if q["uploadId"] not in self.uploads:
                raise Refused(404, "NoSuchUpload", "")
            self.uploads[q["uploadId"]][1][int(q["partNumber"])] = body
            return 200, {"ETag": f'"{hashlib.md5(body).hexdigest()}"'}, b""
        if h.command == "PUT":
            self.check(h, body)
            if none and key in self.objects:
                raise Refused(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
            self.store(key, body, h.headers)
            return 200, {"ETag": f'"{hashlib.md5(body).hexdigest()}"'}, b""
        if h.command == "HEAD":
            if key not in self.objects:
                raise Refused(404, "")
            return 200, {"Content-Length": str(len(self.objects[key])), "x-amz-meta-sha256": self.headers[key].get("x-amz-meta-sha256", "")}, b""
        if h.command == "POST" and "uploads" in q:
            upload = f"upload/{len(self.seen)}+="
            self.uploads[upload] = (key, {}, dict(h.headers.items()))
            return 200, {}, f"<X><UploadId>{upload}</UploadId></X>".encode()
        if h.command == "POST" and "uploadId" in q:
            if q["uploadId"] not in self.uploads:
                raise Refused(404, "NoSuchUpload", "")
            if none and key in self.objects:
                raise Refused(412, "PreconditionFailed", "")
            _, parts, headers = self.uploads[q["uploadId"]]
            want = [(n, f'"{hashlib.md5(parts[n]).hexdigest()}"', base64.b64encode(hashlib.sha256(parts[n]).digest()).decode()) for n in sorted(parts)]
            got = [(int(n), e, s) for n, e, s in re.findall(
                r"<Part><PartNumber>(\d+)</PartNumber><ETag>([^<]+)</ETag><ChecksumSHA256>([^<]+)</ChecksumSHA256></Part>", body.decode())]
            if got != want:
                raise Refused(400, "InvalidPart", str(got))
            del self.uploads[q["uploadId"]]
            self.store(key, b"".join(parts[n] for n in sorted(parts)), headers)
            return 200, {}, b"<CompleteMultipartUploadResult/>"
        if h.command == "GET" and "uploads" in q:
            rows = "".join(f"<Upload><Key>{k}</Key><UploadId>{u}</UploadId></Upload>" for u, (k, _, _) in self.uploads.items() if k.startswith(q["prefix"]))
            return 200, {}, f"<R>{rows}</R>".encode()
        if h.command == "DELETE" and "uploadId" in q:
            if self.uploads.pop(q["uploadId"], None) is None:
                raise Refused(404, "NoSuchUpload", "")
            return 204, {}, b""
        raise Refused(405, "MethodNotAllowed", "")


class Logs(Service):
    """PutLogEvents with its documented limits, CreateLogGroup, CreateLogStream. `streams`: {(group, stream): [(ms, message)]}."""

    def __init__(self, port=0, keys=None, validate=None):
        self.groups, self.streams, self.calls, self.validate = set(), {}, [], validate
        super().__init__("logs", port, keys)

    def refusal(self, e):
        return e.status, {"Content-Type": "application/x-amz-json-1.1", **e.headers}, json.dumps({"__type": e.code, "message": e.message}).encode()

    def skewed(self, date):
        return Refused(400, "InvalidSignatureException", f"Signature expired: {date} is now earlier than ...")

    def handle(self, h, body):
        target = h.headers.get("X-Amz-Target", "")
        if h.headers.get("Content-Type") != "application/x-amz-json-1.1" or not target.startswith("Logs_20140328."):
            raise Refused(400, "UnknownOperationException")
        if self.validate:
            self.validate(target[14:], body)
        p = json.loads(body.decode("utf-8"))
        where = (p["logGroupName"], p.get("logStreamName"))
        if target == "Logs_20140328.CreateLogGroup":
            if where[0] in self.groups:
                raise Refused(400, "ResourceAlreadyExistsException", "The specified log group already exists")
            self.groups.add(where[0])
            return 200, {}, b""
        if where[0] not in self.groups:
            raise Refused(400, "ResourceNotFoundException", "The specified log group does not exist.")
        if target == "Logs_20140328.CreateLogStream":
            if not re.fullmatch(r"[^:*]{1,512}", where[1]):
                raise Refused(400, "InvalidParameterException", "logStreamName")
            if where in self.streams:
                raise Refused(400, "ResourceAlreadyExistsException", "The specified log stream already exists")
            self.streams[where] = []
            return 200, {}, b""
        if target != "Logs_20140328.PutLogEvents":
            raise Refused(400, "UnknownOperationException")
        if where not in self.streams:
            raise Refused(400, "ResourceNotFoundException", "The specified log stream does not exist.")
        return 200, {}, json.dumps(self.put(where, p["logEvents"])).encode()

    def put(self, where, events):
        now = (time.time() + self.skew) * 1000
        times = [e["timestamp"] for e in events]
        size = sum(len(e["message"].encode()) + 26 for e in events)
        for bad, why in ((not 1 <= len(events) <= 10000, "number of events"), (size > 1048576, "Upload too large"), (times != sorted(times), "order"),
                         (any(not e["message"] for e in events), "empty message")):
            if bad:
                raise Refused(400, "InvalidParameterException", why)
        good = [t for t in times if now - 14 * 86400000 <= t <= now + 7200000]
        if good and good[-1] - good[0] > 86400000:
            raise Refused(400, "InvalidParameterException", "span")
        old, new = sum(t < now - 14 * 86400000 for t in times), sum(t > now + 7200000 for t in times)
        taken = events[old:len(events) - new]
        self.streams[where] += [(e["timestamp"], e["message"]) for e in taken]
        self.calls.append((where, len(events), size))
        info = {**({"tooOldLogEventEndIndex": old} if old else {}), **({"tooNewLogEventStartIndex": len(events) - new} if new else {})}
        return {"nextSequenceToken": "1", **({"rejectedLogEventsInfo": info} if info else {})}


class Metadata(Service):
    """Version 2 of the instance metadata service: a role's keys, `given` so many times."""

    def __init__(self, keys, seconds=3600, port=0):
        self.now_keys, self.seconds, self.given = keys, seconds, 0
        super().__init__("imds", port)

    def authorize(self, h, body):
        if h.path == "/latest/api/token":
            ttl = int(h.headers.get("X-aws-ec2-metadata-token-ttl-seconds", 0))
            if h.command != "PUT" or not 1 <= ttl <= 21600:
                raise Refused(400, "")
        elif h.headers.get("X-aws-ec2-metadata-token") != "token-of-imds":
            raise Refused(401, "")

    def refusal(self, e):
        return e.status, e.headers, b""

    def handle(self, h, body):
        base = "/latest/meta-data/iam/security-credentials/"
        if h.path == "/latest/api/token":
            return 200, {}, b"token-of-imds"
        if h.path == base:
            return 200, {}, b"flowproof-role\n"
        if h.path != base + "flowproof-role":
            raise Refused(404, "")
        self.given += 1
        access, secret, token = self.now_keys
        return 200, {}, json.dumps({"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": access, "SecretAccessKey": secret, "Token": token,
                                    "Expiration": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + self.seconds))}).encode()
