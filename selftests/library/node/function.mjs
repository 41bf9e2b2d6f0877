import { get, put, Client } from 'kv';
import kv from 'kv';
import fn from 'fn';
import * as esm from 'esm';
import { createRequire } from 'module';

const again = createRequire(import.meta.url)('kv');

console.log(get(), put(), new Client().send(), again.both(), kv === again, fn(), fn.extra(),
	esm.a(), esm.c(), esm.default);
