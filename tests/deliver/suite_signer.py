#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""suite_signer.py BUILD_DIR   The signer beside two others, over the same random requests: botocore's (AWS's Python SDK, from Debian) and
@smithy/signature-v4 (AWS's JavaScript SDK, from npm). Part of make test-deliver."""
import hashlib
import json
import os
import random
import re
import subprocess
import sys

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(TESTS, "lib")]
from harness import Tap, build_dir, check, equal, folder  # noqa: E402

import botocore.auth  # noqa: E402  (scripts/deps.sh deliver)
import botocore.awsrequest  # noqa: E402
import botocore.credentials  # noqa: E402

COUNT = 1500
SEED = 20261126
PLAIN = "abcXYZ019-._~"
ODD = PLAIN + " +=&%/?#:@!$'()*,;\"<>[]\\^`{|}\u00e9\u1234\U0001f600"
NODE = """
const { SignatureV4 } = require("@smithy/signature-v4");
const { Sha256 } = require("@aws-crypto/sha256-js");
const lines = require("fs").readFileSync(0, "utf8").trim().split("\\n");
(async () => {
  for (const line of lines) {
    const r = JSON.parse(line);
    const signer = new SignatureV4({ credentials: { accessKeyId: r.access, secretAccessKey: r.secret, sessionToken: r.token },
      region: r.region, service: r.service, sha256: Sha256, uriEscapePath: false, applyChecksum: false });
    const query = {};
    for (const [k, v] of r.query) (query[k] = query[k] || []).push(v);
    const headers = { host: r.host, "x-amz-content-sha256": r.payload };
    for (const [k, v] of r.headers) headers[k] = v;
    const signed = await signer.sign({ method: r.method, protocol: "https:", hostname: r.host, path: r.sent, query, headers },
      { signingDate: new Date(r.time * 1000) });
    console.log(signed.headers.authorization);
  }
})();
"""


def text(rng, alphabet, most, least=1):
    return "".join(rng.choice(alphabet) for _ in range(rng.randint(least, most)))


def requests():
    """Names of headers are different here: lists of one name are AWS's own suite's matter (tests/unit/collector/test_sigv4.c)."""
    rng = random.Random(SEED)
    for i in range(COUNT):
        headers = {"x-amz-meta-" + text(rng, "abcdefgh-", 12): text(rng, PLAIN + "  =,;", 30) for _ in range(rng.randint(0, 4))}
        headers = {k: v for k, v in headers.items() if v.strip()}
        query = [[text(rng, ODD, 8), text(rng, ODD, 12, 0)] for _ in range(rng.randint(0, 5))]
        query = list({k: [k, v] for k, v in query}.values())
        service = rng.choice(("s3", "logs"))
        yield {"method": rng.choice(("GET", "PUT", "POST", "DELETE", "HEAD")), "host": f"{text(rng, 'abc', 8)}.example.com:{rng.randint(1000, 9999)}",
               "path": "/" + (text(rng, ODD, 60, 0) if service == "s3" else ""), "query": query, "headers": [list(x) for x in headers.items()],
               "payload": hashlib.sha256(b"%d" % i).hexdigest(), "region": rng.choice(("us-east-1", "eu-central-1")), "service": service,
               "time": rng.randint(10 ** 9, 2 * 10 ** 9), "access": "AKIA" + text(rng, "ABC234", 16), "secret": text(rng, PLAIN + "/+", 40),
               "token": text(rng, PLAIN + "/+=", 200) if rng.random() < .4 else None}


def by_us(lines):
    p = subprocess.run([os.path.join(build_dir(), "tests/deliver/aws_drive"), "sign"], input="\n".join(lines) + "\n", capture_output=True, text=True,
                       timeout=60, check=False)
    equal(p.returncode, 0, p.stderr)
    return [json.loads(x) for x in p.stdout.splitlines()]


def by_botocore(r, target, date):
    request = botocore.awsrequest.AWSRequest(r["method"], f"https://{r['host']}{target}")
    for name, value in [["host", r["host"]], ["x-amz-date", date], *r["headers"]]:
        request.headers[name] = value
    if r["service"] == "s3":
        request.headers["x-amz-content-sha256"] = r["payload"]
    if r["token"]:
        request.headers["x-amz-security-token"] = r["token"]
    request.context.update(timestamp=date, payload_signing_enabled=True)
    credentials = botocore.credentials.Credentials(r["access"], r["secret"], r["token"])
    signer = (botocore.auth.S3SigV4Auth if r["service"] == "s3" else botocore.auth.SigV4Auth)(credentials, r["service"], r["region"])
    signer.payload = lambda request: r["payload"]
    canonical = signer.canonical_request(request)
    return signer.signature(signer.string_to_sign(request, canonical), request)


def signature(authorization):
    found = re.search(r"Signature=([0-9a-f]{64})$", authorization)
    check(found, authorization)
    return found[1]


def main():
    tap = Tap()
    asked = list(requests())
    ours = []
    with tap.case(f"{COUNT} requests are signed"):
        for r in asked:
            if r["service"] == "s3":
                r["headers"].append(["x-amz-content-sha256", r["payload"]])
        ours = by_us([json.dumps({k: v for k, v in r.items() if v is not None}) for r in asked])
        equal(len(ours), COUNT, "answers")
    with tap.case("botocore signs them alike"):
        wrong = [(r, o) for r, o in zip(asked, ours)
                 if by_botocore(dict(r, headers=[h for h in r["headers"] if h[0] != "x-amz-content-sha256"]), o["target"], o["date"]) !=
                 signature(o["authorization"])]
        check(not wrong, f"{len(wrong)} differ; the first: {wrong[:1]}")
    with tap.case("@smithy/signature-v4 signs them alike"), folder() as d:
        p = subprocess.run(["npm", "install", "--no-fund", "--no-audit", "@smithy/signature-v4@5", "@aws-crypto/sha256-js@5"], cwd=d, capture_output=True,
                           text=True, timeout=300, check=False)
        equal(p.returncode, 0, "npm install failed:\n" + p.stderr[-1500:])
        # It escapes queries itself, and takes the path as it is sent; its headers always hold the payload's digest.
        sent = [dict(r, sent=o["target"].split("?")[0]) for r, o in zip(asked, ours) if r["service"] == "s3"]
        p = subprocess.run(["node", "-e", NODE], cwd=d, input="\n".join(json.dumps(r) for r in sent), capture_output=True, text=True, timeout=120,
                           check=False)
        equal(p.returncode, 0, p.stderr[-1500:])
        theirs = [signature(x) for x in p.stdout.splitlines()]
        equal(len(theirs), len(sent), "answers")
        wrong = [(r, o) for (r, o), t in zip([(r, o) for r, o in zip(asked, ours) if r["service"] == "s3"], theirs)
                 if signature(o["authorization"]) != t]
        check(not wrong, f"{len(wrong)} of {len(sent)} differ; the first: {wrong[:1]}")
    tap.done()


main()
