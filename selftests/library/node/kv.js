'use strict';
const kv = require('kv');

exports.get = () => `get-local-after-${kv.get()}`;
exports.more = 1;
