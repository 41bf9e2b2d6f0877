"""What answers requests without Coppice: rival.py process|prefork|container PORT [BUNDLE].

    process     a new interpreter for each request
    prefork     two workers that have loaded the handler before
    container   a new interpreter in a new container (crun) for each request

As little of HTTP as the benchmark's client needs, so that no server's weight is measured.
"""

import json
import os
import socket
import subprocess
import sys

WORKERS = 2
HANDLER = "import json, sys; print(json.dumps(json.load(sys.stdin)))"


def handler(event, context):
    return event


def in_this_process(body):
    return json.dumps(handler(json.loads(body), None)).encode()


def in_a_process(body):
    return subprocess.run(["/usr/bin/python3", "-c", HANDLER], input=body, stdout=subprocess.PIPE, check=True).stdout


def in_a_container(body):
    return subprocess.run(["crun", "--cgroup-manager", "cgroupfs", "run", "--bundle", sys.argv[3], f"bench{os.getpid()}"],
                          input=body, stdout=subprocess.PIPE, check=True).stdout


def serve(connection, answer):
    data = b""
    while piece := connection.recv(65536):
        data += piece
        head, separator, body = data.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
        if separator and len(body) >= length:
            said = answer(body[:length])
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(said), said))
            data = body[length:]


def main():
    way, port = sys.argv[1], int(sys.argv[2])
    answer = {"process": in_a_process, "prefork": in_this_process, "container": in_a_container}[way]
    listener = socket.create_server(("127.0.0.1", port))
    for _ in range(WORKERS - 1):
        if not os.fork():
            break
    while True:
        connection = listener.accept()[0]
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with connection:
            serve(connection, answer)


main()
