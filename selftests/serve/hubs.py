# SPDX-License-Identifier: GPL-2.0
"""Hubs of a test in network and mount namespaces of their own, and devices that have certificates."""
import ctypes
import http.client
import json
import os
import signal
import ssl
import subprocess
import threading

import stage
from stage import PATH, PATIENCE, Reply, wait_for

SECURE_PORT = 8443
LIBC = ctypes.CDLL(None, use_errno=True)


def run(*words, **options):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
    if done.returncode:
        raise AssertionError(f"{words}: {done.stdout}")
    return done.stdout


class Authority:
    """Signs hubs, which have an address, and devices, which have none."""

    def __init__(self, directory):
        self.directory = directory
        self.file = f"{directory}/ca.pem"
        self.key = f"{directory}/ca.key"
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-days", "3", "-subj", "/CN=authority of the test", "-keyout", self.key, "-out", self.file)

    def sign(self, name, address=None):
        """Certificate and key."""
        base = f"{self.directory}/{name}"
        with open(f"{base}.ext", "w") as file:
            file.write(f"extendedKeyUsage=clientAuth{',serverAuth' if address else ''}\n")
            file.write(f"subjectAltName={f'IP:{address}' if address else f'DNS:{name}'}\n")
        run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj",
            f"/CN={name}", "-keyout", f"{base}.key", "-out", f"{base}.csr")
        run("openssl", "x509", "-req", "-in", f"{base}.csr", "-CA", self.file, "-CAkey", self.key,
            "-CAcreateserial", "-days", "2", "-extfile", f"{base}.ext", "-out", f"{base}.pem")
        return f"{base}.pem", f"{base}.key"


class LocalConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("hub", timeout=PATIENCE)
        self.path = path

    def connect(self):
        import socket
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(self.path)


class FarHub(stage.Hub):
    """All its commands run in its namespaces. Its functions' code is its own, as cgroups are shared."""

    def __init__(self, backend, name, address, authority):
        super().__init__(backend)
        self.name, self.address, self.authority = name, address, authority
        self.certificate, self.key = authority.sign(f"hub-{name}", address)
        self.keeper = subprocess.Popen(["unshare", "-mn", "sh", "-ec", """
            for path in /run/coppice /var/lib/coppice /var/log/coppice; do
                mkdir -p $path; mount -t tmpfs test $path
            done
            ip link set lo up; touch "$0"; exec sleep infinity""", f"{self.work}/made"])
        wait_for("its namespaces are made", lambda: os.path.exists(f"{self.work}/made"))

    def within(self, *words):
        return ["nsenter", "-m", "-n", "-t", str(self.keeper.pid), *words]

    def coppice(self, *words, check=True):
        done = subprocess.run(self.within(stage.COPPICE, "--backend", self.backend, *words),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=5 * PATIENCE)
        if check and done.returncode:
            raise AssertionError(f"{words}: {done.stdout}")
        return done

    def deploy(self, name, **manifest):
        text = stage.HANDLER.replace('return {"nonce"', 'return {"hub": os.environ["HUB"], "nonce"')
        super().deploy(name, f"{text}# {self.name}\n", environment={"HUB": self.name}, **manifest)

    def start(self, *options, environment={}):
        self.log = open(f"{self.work}/log", "a")
        words = ["serve", "--port", "0", "--socket", self.socket, "--retry", "0", "--listen",
                 f"{self.address}:{SECURE_PORT}", "--certificate", self.certificate, "--key", self.key,
                 "--ca", self.authority.file, *options]
        # nsenter becomes the coordinator: no namespace of processes is entered.
        self.serve = subprocess.Popen(self.within(stage.COPPICE, "--backend", self.backend, *words),
                                      stderr=self.log, env={**os.environ, **environment})
        wait_for("the coordinator listens", self.listens)

    def listens(self):
        if self.serve.poll() is not None:
            raise AssertionError(f"the coordinator ended: {self.log_text()}")
        return "event=ready" in self.log_text()

    def request(self, method, path, body=None, headers={}):
        connection = LocalConnection(self.socket)
        try:
            connection.request(method, path, body, headers)
            return Reply(connection.getresponse())
        finally:
            connection.close()

    def enter_network(self):
        """Of this thread only."""
        with open(f"/proc/{self.keeper.pid}/ns/net") as file:
            if LIBC.setns(file.fileno(), 0x40000000):
                raise OSError(ctypes.get_errno(), "its network cannot be entered")

    def from_network(self, work):
        """work() by a thread in this hub's network."""
        result = []

        def inside():
            try:
                self.enter_network()
                result.append(work())
            except Exception as error:
                result.append(error)
        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()
        if isinstance(result[0], Exception):
            raise result[0]
        return result[0]

    def device_invokes(self, identity, name, event, method="POST", **headers):
        """Over TLS. identity: certificate and key, or None."""
        def work():
            context = ssl.create_default_context(cafile=self.authority.file)
            if identity:
                context.load_cert_chain(*identity)
            connection = http.client.HTTPSConnection(self.address, SECURE_PORT, timeout=PATIENCE, context=context)
            try:
                connection.request(method, PATH.format(name) if "/" not in name else name,
                                   json.dumps(event), headers)
                return Reply(connection.getresponse())
            finally:
                connection.close()
        return self.from_network(work)

    def close(self):
        super().close()
        self.keeper.send_signal(signal.SIGKILL)
        self.keeper.wait()
