// SPDX-License-Identifier: MIT
'use strict';
// Called by the file that is laid over a provider's CommonJS module, after the provider's own code
// has filled module.exports: what the local module exports overrides, what it lacks stays.

const fs = require('fs');
const path = require('path');
const Module = require('module');

// What the local file requires is looked for beside it first, then where the provider's would be,
// whose exports it gets under the usual name.
function load(module, local) {
	const mine = new Module(local, module);

	mine.filename = local;
	mine.paths = [...Module._nodeModulePaths(path.dirname(local)), ...module.paths];
	require.cache[local] = mine;
	mine._compile(fs.readFileSync(local, 'utf8'), local);
	mine.loaded = true;
	return mine.exports;
}

function define(to, from, replace) {
	for (const key of Reflect.ownKeys(from)) {
		if (!replace && Object.prototype.hasOwnProperty.call(to, key))
			continue;
		Reflect.defineProperty(to, key, Object.getOwnPropertyDescriptor(from, key));
	}
	return to;
}

function merge(theirs, mine) {
	if (typeof mine === 'function')
		return typeof theirs === 'function' ? define(mine, theirs, false) : mine;
	if (typeof theirs === 'function')
		return define(theirs, mine, true);
	return Object.create(Object.getPrototypeOf(theirs), {
		...Object.getOwnPropertyDescriptors(theirs),
		...Object.getOwnPropertyDescriptors(mine),
	});
}

module.exports = (module, local) => {
	module.exports = merge(module.exports, load(module, local));
};
module.exports.load = load;
