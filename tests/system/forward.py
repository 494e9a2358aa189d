#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""forward.py FROM TO: carries TCP connections from one port of 127.0.0.1 to another until it is killed."""
import socket
import sys
import threading


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    for s in (source, sink):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def carry(client, port):
    try:
        server = socket.create_connection(("127.0.0.1", port))
    except OSError:
        client.close()
        return
    threading.Thread(target=pump, args=(client, server), daemon=True).start()
    pump(server, client)
    client.close()
    server.close()


listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    threading.Thread(target=carry, args=(listener.accept()[0], int(sys.argv[2])), daemon=True).start()
