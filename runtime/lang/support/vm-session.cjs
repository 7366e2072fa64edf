// The kernel of JavaScript and TypeScript sessions: runs what the guest asks for,
// one after the other, as scripts of one global scope. The messages are described
// in the guest's fields.go. With the
// argument, the module that compiles it, the code is TypeScript.
"use strict";

const fs = require("node:fs");
const { createRequire, SourceMap } = require("node:module");
const net = require("node:net");
const path = require("node:path");
const repl = require("node:repl");
const { PassThrough, Writable } = require("node:stream");
const util = require("node:util");
const vm = require("node:vm");

const MOST_VALUE = 64 << 10;
// Node's own parser, which --expose-internals gives.
const { parse } = require("internal/deps/acorn/acorn/dist/acorn");
const compile = process.argv[2] ? require(process.argv[2]).compile : (code) => ({ code });

// Source maps of the files whose lines the compiler has moved.
const maps = new Map();

// A pipe opened by name is another descriptor of it: Node knows no dup.
const requests = fs.openSync("/proc/self/fd/0", "r");
const replies = fs.openSync("/proc/self/fd/1", "w");

// The lowest free number is the next descriptor's: that is how 0, 1 and 2 change.
function redirect(stdin, stdout, stderr) {
  for (const [fd, name, flags] of [[0, stdin, "r"], [1, stdout, "w"], [2, stderr, "w"]]) {
    fs.closeSync(fd);
    fs.openSync(name, flags);
  }
}

// Synchronous, so that nothing is lost when the interpreter is killed.
function writeAll(fd, data) {
  while (data.length > 0) {
    try {
      data = data.subarray(fs.writeSync(fd, data));
    } catch (error) {
      if (error.code !== "EAGAIN") return; // nobody reads it any more
    }
  }
}

function output(fd) {
  const stream = new Writable({
    decodeStrings: true,
    write(chunk, _, done) {
      writeAll(fd, chunk);
      done();
    },
  });
  // The stream's own, ended in its middle by an interrupt, would wait for its end
  // ever after, and keep all that comes later to itself.
  stream.write = (chunk, encoding, callback) => {
    const done = typeof encoding === "function" ? encoding : callback;
    writeAll(fd, typeof chunk === "string" ? Buffer.from(chunk, done === encoding ? undefined : encoding) : Buffer.from(chunk));
    if (done) process.nextTick(done);
    return true;
  };
  stream.fd = fd;
  return stream;
}

let stdin;
for (const [name, get] of [
  ["stdin", () => (stdin ??= fs.createReadStream("", { fd: 0, autoClose: false }))],
  ["stdout", ((stream) => () => stream)(output(1))],
  ["stderr", ((stream) => () => stream)(output(2))],
]) {
  Object.defineProperty(process, name, { configurable: true, enumerable: true, get });
}

function reply(...fields) {
  const parts = [String(fields.length), ...fields].map((field) => field.replaceAll("\0", "") + "\0");
  writeAll(replies, Buffer.from(parts.join("")));
}

// A read-eval-print loop that nobody types into: it knows how to await at the top.
const loop = repl.start({ input: new PassThrough(), output: new Writable({ write: (_c, _e, done) => done() }), prompt: "", useGlobal: true, terminal: false });
loop.on("exit", () => process.exit(0));

// Makes what is declared at the top last, and be declared again: a script's own
// const, let and class cannot be, and no script can import. Lines stay as they
// are.
function lasting(code) {
  let tree;
  try {
    tree = parse(code, { ecmaVersion: "latest", sourceType: "module", allowHashBang: true });
  } catch {
    return code; // whoever runs it says what is wrong
  }
  let text = "";
  let from = 0;
  for (const node of tree.body) {
    const instead = rewrite(node, code);
    if (instead === undefined) continue;
    const lines = code.slice(node.start, node.end).split("\n").length - instead.split("\n").length;
    text += code.slice(from, node.start) + instead + "\n".repeat(Math.max(0, lines));
    from = node.end;
  }
  return text + code.slice(from);
}

function rewrite(node, code) {
  const text = code.slice(node.start, node.end);
  switch (node.type) {
    case "VariableDeclaration":
      return text.replace(/^(const|let)/, "var");
    case "ClassDeclaration":
      return `var ${node.id.name} = ${text};`;
    case "ExportNamedDeclaration":
      return node.declaration ? (rewrite(node.declaration, code) ?? code.slice(node.declaration.start, node.end)) : "";
    case "ImportDeclaration":
      return imported(node);
  }
  return undefined;
}

// An import of a module that require can load.
function imported({ source, specifiers }) {
  const module = `require(${source.raw})`;
  const declarations = specifiers.map(({ type, imported, local }) => {
    switch (type) {
      case "ImportNamespaceSpecifier":
        return `${local.name} = ${module}`;
      case "ImportDefaultSpecifier":
        return `${local.name} = ((m) => (m?.__esModule ? m.default : m))(${module})`;
    }
    return `${local.name} = ${module}[${JSON.stringify(imported.name ?? imported.value)}]`;
  });
  return declarations.length > 0 ? `var ${declarations.join(", ")};` : `${module};`;
}

// Node puts its own handler of SIGINT in place when such a script starts, and for
// a moment has none: what an interrupt must not meet runs before begin, or in it.
const INTERRUPTIBLE = Symbol.for("vm-session");
const interruptible = new vm.Script('process[Symbol.for("vm-session")]()');

function evaluate(source, file, begin) {
  const { code: compiled, map } = compile(source, file);
  if (map) maps.set(file, new SourceMap(map));
  const code = lasting(compiled);
  let script;
  try {
    script = new vm.Script(code, { filename: file });
  } catch (error) {
    if (!(error instanceof SyntaxError) || !/\bawait\b/.test(code)) throw error;
    begin();
    return new Promise((resolve, reject) =>
      loop.eval(code, loop.context, file, (error, value) => (error ? reject(error) : resolve(value))),
    );
  }
  process[INTERRUPTIBLE] = () => {
    begin();
    return script.runInThisContext();
  };
  return interruptible.runInThisContext({ breakOnSigint: true });
}

// An interrupt that comes while the code awaits something.
let interrupt = () => {};
process.on("SIGINT", () => interrupt());
const INTERRUPTED = "ERR_SCRIPT_EXECUTION_INTERRUPTED";

function show(error) {
  const text = typeof error?.stack === "string" ? error.stack : "Uncaught " + util.inspect(error);
  const own = text.split("\n").findIndex((line) => line.includes(__filename) || /^ +at .*\bnode:(vm|repl|domain|internal)\b/.test(line));
  writeAll(2, Buffer.from(original(own < 0 ? text : text.split("\n").slice(0, own).join("\n")) + "\n"));
}

// Turns places in compiled files into those of their sources.
function original(text) {
  return text.replace(/(\/[^\s():]+):(\d+):(\d+)/g, (place, file, line, column) => {
    const entry = maps.get(file)?.findEntry(line - 1, column - 1);
    return entry?.originalLine === undefined ? place : `${file}:${entry.originalLine + 1}:${entry.originalColumn + 1}`;
  });
}
process.removeAllListeners("uncaughtException");
process.on("uncaughtException", show);
process.on("unhandledRejection", show);

async function execute(file, directory, args, env, begin) {
  for (const pair of env) {
    const at = pair.indexOf("=");
    process.env[pair.slice(0, at)] = pair.slice(at + 1);
  }
  try {
    if (directory) process.chdir(directory);
    process.argv = [process.argv[0], file, ...args];
    Object.assign(globalThis, { require: createRequire(path.join(process.cwd(), path.basename(file))), __filename: file, __dirname: path.dirname(file), exports: {} });
    const interrupted = new Promise((_, reject) => {
      interrupt = () => reject(Object.assign(new Error("interrupted"), { code: INTERRUPTED }));
    });
    const value = await Promise.race([evaluate(fs.readFileSync(file, "utf8"), file, begin), interrupted]);
    const text = value === undefined ? "" : util.inspect(value);
    return [0, text.length > MOST_VALUE ? text.slice(0, MOST_VALUE) + "…" : text];
  } catch (error) {
    if (error?.code === INTERRUPTED) {
      writeAll(2, Buffer.from("interrupted\n"));
      return [130, ""];
    }
    show(error);
    return [1, ""];
  } finally {
    interrupt = () => {};
  }
}

async function answer([folder, file, directory, count, ...rest]) {
  redirect(...["stdin", "stdout", "stderr"].map((name) => path.join(folder, name)));
  let begun = false;
  const begin = () => {
    begun = true;
    reply("begun");
  };
  const [code, value] = await execute(file, directory, rest.slice(0, +count), rest.slice(+count), begin);
  if (!begun) begin(); // the code has an error that it does not get beyond
  stdin?.destroy();
  stdin = undefined;
  redirect("/dev/null", "/dev/null", "/dev/null");
  reply("done", String(code), value);
}

// Messages come one at a time, for each waits for the answer to the one before.
let pending = Buffer.alloc(0);

function take(chunk) {
  pending = Buffer.concat([pending, chunk]);
  const fields = [];
  for (let from = 0, count = Infinity; ; ) {
    const end = pending.indexOf(0, from);
    if (end < 0) return;
    const field = pending.toString("utf8", from, end);
    from = end + 1;
    if (count === Infinity) count = +field;
    else fields.push(field);
    if (fields.length === count) {
      pending = pending.subarray(from);
      answer(fields);
      return;
    }
  }
}

redirect("/dev/null", "/dev/null", "/dev/null");
// A file's stream would have a thread that waits for input, and process.exit for
// that thread.
new net.Socket({ fd: requests, readable: true, writable: false }).on("data", take).on("end", () => process.exit(0));
reply("ready");
