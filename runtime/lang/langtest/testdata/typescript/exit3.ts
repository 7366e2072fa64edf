const code: number = await Promise.resolve(3);
console.log("before");
process.exit(code);
