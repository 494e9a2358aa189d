#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Channels as clients, for tests.

    channel_client.py send URL CALLS [OPTION]... NAME...    what channel.py has made; prints a line `NAME STATUS BODY` each
        -c N        over N connections, all of them starting at the same time (each call over the next one)
        -H LINE     one header more
        --proxy2 IP a PROXY v2 header before, saying that IP has called
        --ca FILE   over TLS
    channel_client.py insist DIR KEYS THREADS    as the platforms do, reads lines `CHANNEL NAME FIELD=VALUE...`
        on stdin: sends each again and again, signed anew, to the address that is in DIR/current.url at that time, until it
        gets the success answer. DIR/acknowledged has the names, DIR/refused a line `NAME STATUS` for each other answer.
"""
import base64
import json
import shlex
import socket
import struct
import sys
import threading
import time
import urllib.parse

PROXY2 = b"\r\n\r\n\0\r\nQUIT\n"


def proxy2(source):
    here, there = (socket.inet_aton(a) for a in (source, "127.0.0.1"))
    return PROXY2 + b"\x21\x11" + struct.pack("!H", 12) + here + there + struct.pack("!HH", 40000, 443)


class Connection:
    def __init__(self, url, before=b"", ca=None, timeout=60):
        to = urllib.parse.urlsplit(url)
        self.host = to.netloc
        self.socket = socket.create_connection((to.hostname, to.port), timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if before:
            self.socket.sendall(before)
        if ca:
            import ssl  # takes its time, and few need it

            self.socket = ssl.create_default_context(cafile=ca).wrap_socket(self.socket, server_hostname=to.hostname)
        self.rest, self.ended = b"", False

    def ask(self, path, headers, body):
        lines = [f"POST {path} HTTP/1.1", f"Host: {self.host}", *(f"{name}: {value}" for name, value in headers), f"Content-Length: {len(body)}", "", ""]
        self.socket.sendall("\r\n".join(lines).encode("utf-8", "surrogateescape") + body)
        return self.answer()

    def more(self):
        data = self.socket.recv(65536)
        if not data:
            raise OSError("closed")
        self.rest += data

    def answer(self):
        while b"\r\n\r\n" not in self.rest:
            self.more()
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        n = next((int(line.split(":")[1]) for line in lines if line.lower().startswith("content-length:")), 0)
        while len(self.rest) < n:
            self.more()
        body, self.rest = self.rest[:n], self.rest[n:]
        self.ended = any(line.lower() == "connection: close" for line in lines)
        return int(lines[0].split()[1]), body.decode()


def acknowledged(channel_name, status, body):
    """As that platform sees it."""
    if channel_name == "alipay":
        return status == 200 and body == "success"
    return status in (200, 204) if channel_name == "wechat" else 200 <= status <= 206


def send(url, calls, arguments):
    n, headers, before, ca, names = 1, [], b"", None, []
    arguments = iter(arguments)
    for a in arguments:
        if a == "-c":
            n = int(next(arguments))
        elif a == "-H":
            headers.append(tuple(next(arguments).split(": ", 1)))
        elif a == "--proxy2":
            before = proxy2(next(arguments))
        elif a == "--ca":
            ca = next(arguments)
        else:
            names.append(a)
    start, lock = threading.Barrier(n), threading.Lock()

    def one(mine):
        try:
            there = Connection(url, before, ca)
        except OSError as e:
            there = None
            print(f"- 000 {e}", flush=True)
        start.wait()
        for name in mine:
            with open(f"{calls}/{name}.json") as f:
                call = json.load(f)
            try:
                if there is not None and there.ended:
                    there = Connection(url, before, ca)
                status, body = there.ask(call["path"], call["headers"] + headers, base64.b64decode(call["body"]))
            except (OSError, AttributeError) as e:
                status, body = "000", str(e)
            with lock:
                print(name, status, body.replace("\n", " "), flush=True)

    threads = [threading.Thread(target=one, args=(names[i::n],)) for i in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


def insist(d, keys, n):
    import channel

    todo, lock = [shlex.split(line) for line in sys.stdin][::-1], threading.Lock()

    def note(name, text):
        with lock, open(f"{d}/{name}", "a") as f:
            f.write(text + "\n")

    def one():
        there, url = None, None
        while True:
            with lock:
                if not todo:
                    return
                kind, name, *fields = todo.pop()
            while True:
                f = dict(field.split("=", 1) for field in fields)
                try:
                    now = open(f"{d}/current.url").read().split()
                    now = now[hash((name, time.monotonic_ns())) % len(now)]
                    if there is None or there.ended or now != url:
                        there, url = Connection(now, timeout=20), now
                    body, headers = channel.CHANNELS[kind](keys, f)
                    status, text = there.ask(channel.path_of(kind, f), headers, body)
                except (OSError, IndexError):
                    there, status, text = None, 0, ""
                if acknowledged(kind, status, text):
                    note("acknowledged", name)
                    break
                note("refused", f"{name} {status} {text}")
                time.sleep(0.05)

    threads = [threading.Thread(target=one) for _ in range(n)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


if __name__ == "__main__":
    if sys.argv[1] == "send":
        send(sys.argv[2], sys.argv[3], sys.argv[4:])
    else:
        insist(sys.argv[2], sys.argv[3], int(sys.argv[4]))
