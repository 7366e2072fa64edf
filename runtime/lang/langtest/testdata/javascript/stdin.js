import process from "node:process";

for await (const chunk of process.stdin) process.stdout.write(chunk);
