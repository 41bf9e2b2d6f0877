# SPDX-License-Identifier: GPL-2.0
"""What a hub can be found in after an apply was interrupted: two versions, and nothing else.

A state is what tasks would see: the current slot with everything in it, and the volumes with all
labels, unless nothing can be started because the volumes are not settled.
"""
import os

import hub

RIGHTS = {1: {'till': {'orders': ['read', 'write'], 'inbox': ['append']},
              'report': {'notes': ['read', 'write']}},
          2: {'till': {'orders': ['append'], 'inbox': ['read'], 'more': ['read', 'write']},
              'report': {'orders': ['read', 'write'], 'notes': ['read']},
              'audit': {'orders': ['read'], 'notes': ['read', 'write']}}}
TIMES = ('applied',)


def spec(version):
    """Everything differs: functions, volumes, rights, places of devices."""
    rights = RIGHTS[version]
    volumes = sorted({name for grants in rights.values() for name in grants})
    return {'name': 'shop', 'version': version,
            'functions': [{'name': name} for name in rights],
            'resources': [{'name': name, 'kind': 'volume'} for name in volumes] +
                         [{'name': 'null', 'kind': 'device', 'path': '/dev/null'}],
            'access': [{'function': name, 'resource': volume, 'rights': access}
                       for name, grants in rights.items() for volume, access in grants.items()] +
                      [{'function': name, 'resource': 'null', 'rights': ['write']}
                       for name in rights]}


def seen(name='shop'):
    """Of the current version: its record without times, and every label of its tree."""
    record = hub.record(name)
    if record is None:
        return None
    kept = {key: value for key, value in record.items() if key not in TIMES + ('sequence',)}
    return kept, hub.mapping(name), hub.labels(hub.slot(name) + '/tree')


def volumes(name='shop'):
    return hub.labels(hub.slot(name, 'volumes'))


def settled(name='shop'):
    return hub.coppice('status', name)['state'] == 'applied'


class States:
    """The old and the new state, and how one looks when all is done."""

    def __init__(self, old, new, new_volumes):
        self.old, self.new, self.new_volumes = old, new, new_volumes
        self.counts = {'old': 0, 'new': 0, 'unsettled': 0}

    def check(self, where, old_volumes):
        """The state is one of them. Volumes are those of the old one, or of the new one, or nothing starts."""
        found = seen()
        hub.check(found in (self.old, self.new), f'{where}: neither the old nor the new version:', found)
        if found == self.old:
            self.counts['old'] += 1
            hub.check(found is None or volumes() == old_volumes, f'{where}: the old version, other volumes')
        elif volumes() == self.new_volumes:
            self.counts['new'] += 1
        else:
            self.counts['unsettled'] += 1
            hub.check(not settled(), f'{where}: tasks would start in a mix')

    def finish(self, where, bundle):
        """Applying it again comes to the same end as if nothing had happened."""
        hub.coppice('apply', bundle)
        hub.check(seen() == self.new, f'{where}: applying again ends in', seen())
        hub.check(volumes() == self.new_volumes, f'{where}: applying again leaves volumes as', volumes())
        hub.same([], [name for name in ('next', 'trash') if os.path.exists(hub.slot('shop', name))])

    def end(self, *wanted):
        """After the last one: tasks can start, and every one of the wanted states was met."""
        hub.check(settled(), 'it is not settled')
        hub.check(all(self.counts[name] for name in wanted), 'not all of them were met:', self.counts)
