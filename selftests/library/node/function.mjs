import { get, put, Client } from 'kv';
import kv from 'kv';
import * as esm from 'esm';
import { createRequire } from 'module';

const again = createRequire(import.meta.url)('kv');

console.log(get(), put(), new Client().send(), again.both(), kv === again, esm.a(), esm.c(), esm.default);
