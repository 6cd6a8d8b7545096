// What Pulumi runs: index.ts, translated by way of config/translate.cjs.
"use strict";

require("./config/translate.cjs");
module.exports = require("./index.ts");
