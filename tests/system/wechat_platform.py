#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""wechat_platform.py PORT DIR KEY...: GET /v3/certificates of WeChat Pay, for tests, made by its rules and not by the program.

DIR is what channel_keys() in channel.sh has made, and has KEY.listed, the certificate. The first KEY signs. DIR/platform
says how it behaves (read at each request): well, hang, or forged (signed by a stranger). Each request is a line
in DIR/asked: what it asked for, and how its Authorization begins.
"""
import http.server
import json
import sys
import time

from channel_crypto import b64, seal, sign, token

port, directory, names = int(sys.argv[1]), sys.argv[2], sys.argv[3:]


def read(name):
    return open(f"{directory}/{name}", "rb").read().strip()


def item(name):
    nonce = token(6).encode()
    sealed = seal(read("apiv3.key"), nonce, b"certificate", read(name + ".listed") + b"\n")
    return {"serial_no": read(name + ".serial").decode(), "effective_time": "2018-06-08T10:34:56+08:00",
            "expire_time": "2048-06-08T10:34:56+08:00",
            "encrypt_certificate": {"algorithm": "AEAD_AES_256_GCM", "nonce": nonce.decode(),
                                    "associated_data": "certificate", "ciphertext": b64(sealed)}}


class Platform(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        manner = read("platform").decode()
        with open(f"{directory}/asked", "a", encoding="ascii") as asked:
            asked.write(f"{self.path} {self.headers.get('Authorization', '')[:60]}\n")
        if manner == "hang":
            time.sleep(3600)
        body = json.dumps({"data": [item(name) for name in names]}).encode()
        stamp, nonce = str(int(time.time())), token(16)
        key = "stranger" if manner == "forged" else names[0]
        made = sign(f"{directory}/{key}.key", f"{stamp}\n{nonce}\n".encode() + body + b"\n")
        self.send_response(200)
        for name, value in (("Wechatpay-Serial", read(names[0] + ".serial").decode()), ("Wechatpay-Timestamp", stamp),
                            ("Wechatpay-Nonce", nonce), ("Wechatpay-Signature", b64(made)), ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


http.server.ThreadingHTTPServer(("127.0.0.1", port), Platform).serve_forever()
