// Has a built TypeScript file find what is beside its source, though it runs from
// another folder. What is TypeScript there loses its types as it is loaded.
'use strict';
const fs = require('fs');
const Module = require('module');
const path = require('path');
const { findCompiler } = require('./vm-typescript.cjs');

// Loaders by extension, which resolution tries in this order.
const ts = findCompiler();
if (ts) {
  for (const extension of ['.ts', '.cts']) {
    Module._extensions[extension] = (module, file) => module._compile(compile(fs.readFileSync(file, 'utf8'), file), file);
  }
}

function compile(source, file) {
  const { outputText, diagnostics } = ts.transpileModule(source, {
    fileName: file,
    reportDiagnostics: true,
    compilerOptions: {
      target: ts.ScriptTarget.ES2020,
      module: ts.ModuleKind.CommonJS,
      esModuleInterop: true,
      experimentalDecorators: true,
      inlineSourceMap: true,
      sourceRoot: path.dirname(file),
    },
  });
  const wrong = diagnostics.find((d) => d.category === ts.DiagnosticCategory.Error);
  if (wrong) {
    const at = wrong.file.getLineAndCharacterOfPosition(wrong.start);
    const text = ts.flattenDiagnosticMessageText(wrong.messageText, '\n');
    throw new SyntaxError(`${file}:${at.line + 1}:${at.character + 1} - error TS${wrong.code}: ${text}`);
  }
  return outputText;
}

// The sources' names end in .ts where requests, as TypeScript has them, say .js.
function resolve(request, parent, rest) {
  try {
    return resolveAsEver.call(Module, request, parent, ...rest);
  } catch (e) {
    const source = request.replace(/\.(c?)js$/, '.$1ts');
    if (source === request || !fs.existsSync(source)) throw e;
    return source;
  }
}

const resolveAsEver = Module._resolveFilename;

// find makes the main module's neighbours those of a folder.
module.exports = function find(folder) {
  Module._resolveFilename = function (request, parent, ...rest) {
    if (!parent || !parent.filename || !/^\.\.?(\/|$)/.test(request)) {
      return resolveAsEver.call(this, request, parent, ...rest);
    }
    const base = parent === require.main ? folder : path.dirname(parent.filename);
    return resolve(path.resolve(base, request), parent, rest);
  };
};
