// SPDX-License-Identifier: MIT
'use strict';
// interface.js compare PROVIDER LOCAL DIRECTORY: load two Node modules, say how their exports compare,
// and what is to be laid over which file. interface.js verify FILE NAME…: are all names there?

const fs = require('fs');
const path = require('path');
const Module = require('module');
const { pathToFileURL } = require('url');
const merge = require('./merge.js');

const { createRequire } = Module;

class Refused extends Error {}

function packageOf(file) {
	for (let place = path.dirname(file); ; place = path.dirname(place)) {
		const name = path.join(place, 'package.json');

		if (fs.existsSync(name))
			return { root: place, ...JSON.parse(fs.readFileSync(name, 'utf8')) };
		if (place === path.dirname(place))
			return { root: path.dirname(file) };
	}
}

function isModule(file) {
	if (file.endsWith('.mjs'))
		return true;
	return !file.endsWith('.cjs') && packageOf(file).type === 'module';
}

// The target of "exports" under these conditions, as Node goes through it.
function target(exports_, conditions) {
	if (typeof exports_ === 'string')
		return exports_;
	if (Array.isArray(exports_))
		return exports_.map(one => target(one, conditions)).find(Boolean);
	if (!exports_ || typeof exports_ !== 'object')
		return undefined;
	if ('.' in exports_)
		return target(exports_['.'], conditions);
	for (const key of Object.keys(exports_))
		if (conditions.includes(key)) {
			const found = target(exports_[key], conditions);

			if (found)
				return found;
		}
	return undefined;
}

// The files that `require` and `import` of a package or file load.
function entries(place) {
	if (!fs.statSync(place).isDirectory())
		return [place];
	const about = JSON.parse(fs.readFileSync(path.join(place, 'package.json'), 'utf8'));
	const found = new Set();

	for (const way of ['require', 'import'])
		if (about.exports) {
			const file = target(about.exports, [way, 'node', 'default']);

			if (file)
				found.add(fs.realpathSync(path.join(place, file)));
		}
	if (!about.exports)
		found.add(createRequire(path.join(place, 'x.js')).resolve(place));
	if (!found.size)
		throw new Refused(`${place} has no main module that can be required or imported`);
	return [...found];
}

// The local one is loaded as it will be in place of @beside.
async function load(what, file, beside) {
	try {
		if (beside && !isModule(file))
			return merge.load({ paths: Module._nodeModulePaths(path.dirname(beside)) }, file);
		return isModule(file) ? await import(pathToFileURL(file)) : createRequire(file)(file);
	} catch (error) {
		throw new Refused(`the ${what} module ${file} cannot be loaded: ${String(error).split('\n')[0]}`);
	}
}

function names(exports_) {
	if (exports_ === null || !['object', 'function'].includes(typeof exports_))
		return [];
	return Object.getOwnPropertyNames(exports_).filter(name => typeof exports_ !== 'function' ||
		!['length', 'name', 'prototype', 'arguments', 'caller'].includes(name));
}

const kind = value => typeof value === 'function' ? 'a function' : `data (${typeof value})`;

function check(name, theirs, mine) {
	if (typeof theirs === 'function' && typeof mine !== 'function')
		throw new Refused(`${name} is a function at the provider's and ${kind(mine)} at the local one: give it the same kind`);
}

// "[itself]" is a module that is a function.
function compare(theirs, mine, lists) {
	const before = names(theirs), after = names(mine);

	if (mine === null || !['object', 'function'].includes(typeof mine))
		throw new Refused('the local module exports neither an object nor a function');
	if (typeof theirs === 'function')
		lists[typeof mine === 'function' ? 'overridden' : 'falls_through'].add('[itself]');
	for (const name of before) {
		if (after.includes(name)) {
			check(name, theirs[name], mine[name]);
			lists.overridden.add(name);
		} else {
			lists.falls_through.add(name);
		}
	}
	for (const name of after)
		if (!before.includes(name))
			lists.added.add(name);
	return [...new Set([...before, ...after])];
}

// Node learns the names of a CommonJS module by reading it, before it runs.
function shimCommon(directory, copy, local, all) {
	const hints = all.map(name => `\texports[${JSON.stringify(name)}] = 0;\n`).join('');

	return `'use strict';\n` +
		`module._compile(require('fs').readFileSync(${JSON.stringify(copy)}, 'utf8'), __filename);\n` +
		`require(${JSON.stringify(path.join(directory, 'merge.js'))})(module, ${JSON.stringify(local)});\n` +
		`if (0) {\n${hints}}\n`;
}

function shimModule(copy, local, theirs, mine) {
	const from = JSON.stringify(String(pathToFileURL(local)));
	const provider = JSON.stringify(String(pathToFileURL(copy)));
	const own = names(mine).filter(name => name !== '__esModule' && name !== 'module.exports');
	const as = (name, index) => `local${index} as ${JSON.stringify(name)}`;
	let text = `export * from ${provider};\n`;

	if (isModule(local)) {
		text += `import * as local from ${from};\n`;
	} else {
		text += `import local from ${from};\n`;
	}
	if ('default' in theirs && !own.includes('default'))
		text += `export { default } from ${provider};\n`;
	own.forEach((name, index) => { text += `const local${index} = local[${JSON.stringify(name)}];\n`; });
	return text + `export { ${own.map(as).join(', ')} };\n`;
}

async function describe(entry, index, local, copied, directory, mine, lists) {
	const esm = isModule(entry), about = packageOf(entry);
	const place = path.join(directory, `provider${index}`);
	const copy = path.join(place, 'package', path.relative(about.root, entry));
	const theirs = await load("provider's", entry);

	if (!esm && isModule(local))
		throw new Refused(`the provider's ${entry} is a CommonJS module and the local ${local} an ES module, which cannot be required: give a CommonJS one`);
	const all = compare(theirs, mine, lists);

	return {
		file: entry, root: about.root, copy, place, names: names(theirs),
		text: esm ? shimModule(copy, copied, theirs, mine) : shimCommon(directory, copy, copied, all),
	};
}

async function compareAll(provider, local, directory) {
	const lists = { overridden: new Set(), falls_through: new Set(), added: new Set() };
	const found = entries(local);
	// A CommonJS one serves both ways.
	const main = found.find(file => !isModule(file)) || found[0];
	const base = fs.statSync(local).isDirectory() ? local : path.dirname(local);
	const copied = path.join(directory, 'local', path.relative(base, main));
	const theirs = entries(provider);
	const mine = await load('local', main, isModule(theirs[0]) ? undefined : theirs[0]);
	const covers = [];

	for (const [index, entry] of theirs.entries())
		covers.push(await describe(entry, index, main, copied, directory, mine, lists));
	return { covers, ...Object.fromEntries(Object.entries(lists).map(([key, set]) => [key, [...set]])) };
}

async function verify(file, wanted) {
	const found = names(await load('merged', file));
	const lost = wanted.filter(name => !found.includes(name));

	if (lost.length)
		throw new Refused(`the merged module ${file} lacks ${lost[0]}: report this as a defect`);
	return { names: found };
}

// Standard output is for the answer, whatever libraries print.
process.stdout.write = () => true;

async function main([mode, ...words]) {
	let answer;

	try {
		answer = mode === 'compare' ? await compareAll(...words) : await verify(words[0], words.slice(1));
	} catch (error) {
		answer = { refused: error instanceof Refused ? error.message : `the modules cannot be compared: ${error}` };
	}
	fs.writeSync(1, JSON.stringify(answer));
	process.exit(0);
}

main(process.argv.slice(2));
