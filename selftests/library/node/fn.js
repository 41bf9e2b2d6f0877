'use strict';

module.exports = () => 'fn-local';
