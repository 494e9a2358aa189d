#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""wechat_api.py PORT KEYS STATE LOG: GET /v3/certificates as WeChat Pay answers it.

STATE is read at each request: {"certs": ["wechat1"], "signer": "wechat1", "mode": "well"}; mode may also be "forged" (the
signature is of something else), "empty" or "error". LOG gets a line for each request: what was answered, and whether
the request was signed with KEYS/merchant.key as WeChat Pay wants it.
"""
import http.server
import json
import re
import subprocess
import sys
import time

from channel_crypto import b64, seal, sign, token

port, keys, state_file, log = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]


def signed_well(method, path, authorization):
    found = dict(re.findall(r'(\w+)="([^"]*)"', authorization or ""))
    if not (authorization or "").startswith("WECHATPAY2-SHA256-RSA2048 ") or set(found) != {"mchid", "nonce_str", "timestamp", "serial_no", "signature"}:
        return False
    text = f"{method}\n{path}\n{found['timestamp']}\n{found['nonce_str']}\n\n".encode()
    return found["signature"] == b64(sign(f"{keys}/merchant.key", text)) and abs(time.time() - int(found["timestamp"])) < 60


def certificates(state):
    secret = open(f"{keys}/apiv3.key", "rb").read().strip()
    for name in state["certs"]:
        nonce = token(6)
        pem = open(f"{keys}/{name}.crt", "rb").read()
        dates = subprocess.run(["openssl", "x509", "-in", f"{keys}/{name}.crt", "-noout", "-dates"], capture_output=True, text=True).stdout
        begins, ends = (time.strftime("%Y-%m-%dT%H:%M:%S+08:00", time.gmtime(time.mktime(time.strptime(line.split("=")[1], "%b %d %H:%M:%S %Y GMT")) - time.timezone + 8 * 3600))
                        for line in dates.strip().split("\n"))
        yield {"serial_no": open(f"{keys}/{name}.serial").read().strip(), "effective_time": begins, "expire_time": ends,
               "encrypt_certificate": {"algorithm": "AEAD_AES_256_GCM", "nonce": nonce, "associated_data": "certificate",
                                       "ciphertext": b64(seal(secret, nonce.encode(), b"certificate", pem))}}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        state = json.load(open(state_file))
        status, body = 200, json.dumps({"data": list(certificates(state)) if state["mode"] != "empty" else []})
        if state["mode"] == "error":
            status, body = 500, '{"code": "SYSTEM_ERROR", "message": "x"}'
        if self.path != "/v3/certificates":
            status, body = 404, "{}"
        stamp, nonce = str(int(time.time())), token(16)
        text = f"{stamp}\n{nonce}\n{body if state['mode'] != 'forged' else 'x'}\n".encode()
        well = signed_well("GET", self.path, self.headers.get("Authorization"))
        with open(log, "a") as f:
            f.write(f"{state['mode']} {status} {'signed' if well else 'UNSIGNED ' + str(self.headers)}\n")
        self.send_response(status)
        for name, value in (("Content-Type", "application/json"), ("Content-Length", str(len(body))), ("Wechatpay-Timestamp", stamp), ("Wechatpay-Nonce", nonce),
                            ("Wechatpay-Serial", open(f"{keys}/{state['signer']}.serial").read().strip()), ("Wechatpay-Signature", b64(sign(f"{keys}/{state['signer']}.key", text)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())


http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
