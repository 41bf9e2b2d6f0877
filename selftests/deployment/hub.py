# SPDX-License-Identifier: GPL-2.0
"""A hub of a test's own: deployments, keys and users are its alone and end with it.

enter() comes first: it starts the program anew in namespaces where /var/lib/coppice is empty and /etc
a copy. Bundles are made by the controller, or by craft() where it would not make them.
"""
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COPPICE = os.environ.get('COPPICE', os.path.join(TOP, 'build', 'coppice'))
STATE = '/var/lib/coppice'
DEPLOYMENTS = STATE + '/deployments'
ACLS = ['system.posix_acl_access', 'system.posix_acl_default']
WORLD = 'COPPICE_TEST_WORLD'
BACKEND = []       # of functions, if it matters
TYPES = {'index': 'application/vnd.oci.image.index.v1+json',
         'manifest': 'application/vnd.oci.image.manifest.v1+json',
         'deployment': 'application/vnd.coppice.deployment.v1',
         'mapping': 'application/vnd.coppice.deployment.mapping.v1+json',
         'tree': 'application/vnd.coppice.deployment.tree.v1.tar',
         'tmpfiles': 'application/vnd.coppice.deployment.tmpfiles.v1+text',
         'function': 'application/vnd.coppice.function.v1.tar',
         'signature': 'application/vnd.coppice.signature.v1',
         'config': 'application/vnd.coppice.signature.v1+json',
         'ed25519': 'application/vnd.coppice.signature.v1.ed25519'}


def mount(*words):
    subprocess.run(['mount', *words], check=True)


def enter():
    """In the child: True. Needs root."""
    if os.geteuid() != 0:
        print('TAP version 13\n1..0 # SKIP it takes root to make namespaces')
        sys.exit(4)
    if WORLD not in os.environ:
        os.environ[WORLD] = str(os.getpid())
        os.execvp('unshare', ['unshare', '--mount', '--pid', '--fork', '--kill-child',
                              '--mount-proc', '--propagation', 'private',
                              sys.executable, *sys.argv])
    os.makedirs(STATE, exist_ok=True)
    mount('-t', 'tmpfs', '-o', 'mode=755', 'hub', STATE)
    private_etc()


def private_etc():
    work = os.path.join(STATE, 'etc')
    # Times and owners do not matter, and some of it may be unreadable on purpose.
    os.mkdir(work)
    subprocess.run(['cp', '-a', '/etc/.', work], check=True, stderr=subprocess.DEVNULL)
    mount('--bind', work, '/etc')
    shutil.rmtree('/etc/coppice', ignore_errors=True)
    os.makedirs('/etc/coppice/keys', mode=0o700)


class Points:
    """TAP. A point is a function that raises where something is wrong."""

    def __init__(self):
        self.count = self.failed = 0
        print('TAP version 13', flush=True)

    def point(self, description, function, *arguments):
        self.count += 1
        verdict = 'ok'
        try:
            function(*arguments)
        except Exception as error:      # pylint: disable=broad-except
            verdict = 'not ok'
            self.failed += 1
            for line in f'{type(error).__name__}: {error}'.splitlines()[:20]:
                print('#', line)
        print(f'{verdict} {self.count} - {description}', flush=True)

    def skip(self, description, reason):
        self.count += 1
        print(f'ok {self.count} - {description} # SKIP {reason}', flush=True)

    def finish(self):
        print(f'1..{self.count}', flush=True)
        sys.exit(1 if self.failed else 0)


def check(truth, *what):
    if not truth:
        raise AssertionError(' '.join(str(part) for part in what))


def same(wanted, found):
    check(wanted == found, f'{found!r} instead of {wanted!r}')


def coppice(*words, status=0, stdin=None):
    """What it prints, as JSON if it can be that."""
    done = subprocess.run([COPPICE, '--json', *BACKEND, 'deployment', *words], input=stdin, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=100)
    check(done.returncode == status, words, 'ended with', done.returncode, done.stdout, done.stderr)
    return json.loads(done.stdout) if done.stdout else None


def refused(word, *words, status=1):
    """One sentence with the word in it, and nothing else."""
    done = subprocess.run([COPPICE, *BACKEND, 'deployment', *words], check=False, text=True, timeout=100,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    check(done.returncode == status and not done.stdout, words, 'ended with', done.returncode,
          done.stdout, done.stderr)
    check(word in done.stderr and done.stderr.count('\n') == 1, f'no {word!r} in', done.stderr)


#
# Bundles
#

def make_key(path, trusted=True):
    coppice('key', 'generate', path)
    if trusted:
        shutil.copy(path + '.pub', '/etc/coppice/keys/')
    return path


def compile_spec(work, spec, key, name=None):
    """A bundle of the SPEC; with a name it has nothing to do with what was compiled before."""
    source = os.path.join(work, f'{name or spec["name"]}.json')
    bundle = os.path.join(work, name or f'{spec["name"]}-{spec["version"]}')
    with open(source, 'w', encoding='utf-8') as file:
        json.dump(spec, file)
    coppice('compile', source, '--output', bundle, '--key', key)
    return bundle


def digest(data):
    return 'sha256:' + hashlib.sha256(data).hexdigest()


def blob_path(bundle, name):
    return os.path.join(bundle, 'blobs', 'sha256', name.split(':')[1])


def read(path):
    with open(path, 'rb') as file:
        return file.read()


def write(path, data):
    with open(path, 'wb') as file:
        file.write(data)


def parts(bundle):
    """mapping (bytes), tree (bytes), tmpfiles (bytes) and functions' code of a bundle."""
    index = json.loads(read(os.path.join(bundle, 'index.json')))
    for entry in index['manifests']:
        manifest = json.loads(read(blob_path(bundle, entry['digest'])))
        if manifest.get('artifactType') == TYPES['deployment']:
            return [read(blob_path(bundle, descriptor['digest']))
                    for descriptor in (manifest['config'], *manifest['layers'])]
    raise AssertionError('no deployment in ' + bundle)


class Craft:
    """A bundle made by hand, so that anything can be wrong in it."""

    def __init__(self, path):
        self.path = path
        self.manifests = []
        os.makedirs(os.path.join(path, 'blobs', 'sha256'))
        write(os.path.join(path, 'oci-layout'), b'{"imageLayoutVersion":"1.0.0"}')

    def put(self, kind, data):
        name = digest(data)
        write(blob_path(self.path, name), data)
        return {'mediaType': TYPES[kind], 'digest': name, 'size': len(data)}

    def put_json(self, kind, value):
        return self.put(kind, json.dumps(value).encode())

    def deployment(self, mapping, tree, tmpfiles, *code):
        entry = self.put_json('manifest', {
            'schemaVersion': 2, 'mediaType': TYPES['manifest'],
            'artifactType': TYPES['deployment'], 'config': self.put('mapping', mapping),
            'layers': [self.put('tree', tree), self.put('tmpfiles', tmpfiles),
                       *(self.put('function', one) for one in code)]})
        self.manifests.append(entry)
        return entry

    def sign(self, subject, key, statement=None):
        statement = statement or f'coppice deployment {subject["digest"]}\n'
        with tempfile.TemporaryDirectory() as work:
            write(work + '/statement', statement.encode())
            signature = subprocess.run(
                ['openssl', 'pkeyutl', '-sign', '-rawin', '-inkey', key, '-in',
                 work + '/statement'], check=True, stdout=subprocess.PIPE).stdout
        public = subprocess.run(['openssl', 'pkey', '-in', key, '-pubout', '-outform', 'DER'],
                                check=True, stdout=subprocess.PIPE).stdout
        self.manifests.append(self.put_json('manifest', {
            'schemaVersion': 2, 'mediaType': TYPES['manifest'],
            'artifactType': TYPES['signature'], 'subject': subject,
            'config': self.put_json('config', {'key': hashlib.sha256(public).hexdigest(),
                                               'statement': statement}),
            'layers': [self.put('ed25519', signature)]}))

    def finish(self):
        write(os.path.join(self.path, 'index.json'), json.dumps({
            'schemaVersion': 2, 'mediaType': TYPES['index'],
            'manifests': self.manifests}).encode())
        return self.path


def craft(path, key, mapping, tree, tmpfiles):
    """A bundle of these parts with a good signature."""
    made = Craft(path)
    made.sign(made.deployment(mapping, tree, tmpfiles), key)
    return made.finish()


#
# What is on the disk
#

def label(path):
    """Everything of a file's permissions that the kernel knows."""
    found = os.lstat(path)
    acls = {}
    for name in ACLS:
        try:
            acls[name] = os.getxattr(path, name, follow_symlinks=False)
        except OSError:
            pass
    return (found.st_mode, found.st_uid, found.st_gid, tuple(sorted(acls.items())))


def labels(top):
    """By path; {} if there is nothing."""
    found = {}
    for where, directories, files in os.walk(top):
        for name in ['', *directories, *files]:
            path = os.path.join(where, name)
            found[os.path.relpath(path, top)] = label(path)
    return found


def contents(top):
    """All that a refusal must not change: labels, and contents of files."""
    found = labels(top)
    for path, what in list(found.items()):
        full = os.path.join(top, path)
        if os.path.isfile(full) and not os.path.islink(full):
            found[path] = (what, read(full))
    return found


def forget():
    """As if nothing had ever been applied."""
    shutil.rmtree(DEPLOYMENTS, ignore_errors=True)


def slot(name, which='current'):
    return os.path.join(DEPLOYMENTS, name, which)


def record(name, which='current'):
    try:
        return json.loads(read(os.path.join(slot(name, which), 'record.json')))
    except FileNotFoundError:
        return None


def mapping(name, which='current'):
    return json.loads(read(os.path.join(slot(name, which), 'mapping.json')))


def function(described, name):
    return next(entry for entry in described['functions'] if entry['name'] == name)
