const process = require("process");

console.log("before");
process.exit(3);
