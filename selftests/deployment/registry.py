# SPDX-License-Identifier: GPL-2.0
"""A registry of a test's own: Debian's docker-registry, with TLS and a password."""
import base64
import json
import os
import shutil
import socket
import subprocess
import time

import hub
from hub import check

USER, PASSWORD = 'fleet', 'secret'


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def bcrypt(password):
    """By perl, as Python's module for it is on its way out."""
    return subprocess.run(['perl', '-e', 'print crypt($ARGV[0], q($2b$05$abcdefghijklmnopqrstuu))', password], check=True,
                          stdout=subprocess.PIPE, text=True).stdout


class Registry:
    """At localhost, with a certificate of an authority that is its own."""

    def __init__(self, work):
        self.work = work
        self.host = f'localhost:{free_port()}'
        self.store = self.work + '/registry'
        self.process = None
        self.make_certificate()
        hub.write(self.work + '/htpasswd', f'{USER}:{bcrypt(PASSWORD)}\n'.encode())
        hub.write(self.work + '/registry.yml', json.dumps({     # YAML, too
            'version': 0.1, 'log': {'level': 'error'},
            'storage': {'filesystem': {'rootdirectory': self.store}},
            'auth': {'htpasswd': {'realm': 'fleet', 'path': self.work + '/htpasswd'}},
            'http': {'addr': self.host, 'tls': {
                'certificate': self.work + '/registry.pem', 'key': self.work + '/registry.key'}},
        }).encode())

    def make_certificate(self):
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
                        '-days', '1', '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost',
                        '-keyout', self.work + '/registry.key', '-out', self.work + '/registry.pem'],
                       check=True, stderr=subprocess.DEVNULL)

    def trust(self, really=True):
        directory = f'/etc/containers/certs.d/{self.host}'
        shutil.rmtree(directory, ignore_errors=True)
        if really:
            os.makedirs(directory)
            shutil.copy(self.work + '/registry.pem', directory + '/ca.crt')

    def start(self):
        self.process = subprocess.Popen(['docker-registry', 'serve', self.work + '/registry.yml'],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        address = ('127.0.0.1', int(self.host.split(':')[1]))
        while socket.socket().connect_ex(address):
            check(self.process.poll() is None, 'the registry has ended')
            time.sleep(0.1)

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def reference(self, tag):
        return f'{self.host}/shop:{tag}'

    def copy(self, source, target):
        subprocess.run(['skopeo', 'copy', '--quiet', '--preserve-digests', '--src-creds', f'{USER}:{PASSWORD}',
                        '--dest-creds', f'{USER}:{PASSWORD}', source, target], check=True,
                       stdout=subprocess.DEVNULL)

    def push(self, bundle, tag, signed=True):
        """As from a build machine; of a version that is there already only the tag is new."""
        for entry in json.loads(hub.read(bundle + '/index.json'))['manifests']:
            name = entry['annotations']['org.opencontainers.image.ref.name']
            if signed or not name.endswith('.sig'):
                self.copy(f'oci:{bundle}:{name}',
                          f'docker://{self.reference(name if name.endswith(".sig") else tag)}')

    def log_in(self, password=PASSWORD, path='/etc/coppice/registry.json'):
        """What skopeo login writes."""
        both = base64.b64encode(f'{USER}:{password}'.encode()).decode()
        hub.write(path, json.dumps({'auths': {self.host: {'auth': both}}}).encode())
        return path
