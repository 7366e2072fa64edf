import * as fs from "fs";

const text: Buffer = fs.readFileSync(0);
process.stdout.write(text);
