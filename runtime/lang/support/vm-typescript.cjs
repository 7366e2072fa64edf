// What TypeScript's build and its sessions share: the compiler that the VM has.
'use strict';
const fs = require('fs');
const path = require('path');
const { stripTypeScriptTypes } = require('module');

// findCompiler returns the typescript library that belongs to the tsc on PATH.
function findCompiler() {
  const folders = (process.env.PATH || '').split(path.delimiter);
  const tsc = folders.map((f) => path.join(f, 'tsc')).find((f) => fs.existsSync(f));
  if (!tsc) return undefined;
  const lib = path.join(path.dirname(fs.realpathSync(tsc)), '..', 'lib', 'typescript.js');
  return fs.existsSync(lib) ? require(lib) : undefined;
}

// compile makes one script of a session JavaScript: {code, map}, the map being a
// source map where lines have moved. It throws when the source is no TypeScript.
function compile(source, file) {
  const ts = findCompiler();
  if (!ts) return { code: stripTypeScriptTypes(source) };
  const { outputText, sourceMapText, diagnostics } = ts.transpileModule(source, {
    fileName: file,
    reportDiagnostics: true,
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ES2022,
      // What is imported may be used by a later script alone.
      ...(parseInt(ts.version) >= 5 ? { verbatimModuleSyntax: true } : { preserveValueImports: true, isolatedModules: true }),
      experimentalDecorators: true,
      sourceMap: true,
    },
  });
  const wrong = diagnostics.find((d) => d.category === ts.DiagnosticCategory.Error);
  if (wrong) {
    const at = wrong.file.getLineAndCharacterOfPosition(wrong.start);
    const text = ts.flattenDiagnosticMessageText(wrong.messageText, '\n');
    throw new SyntaxError(`${file}:${at.line + 1}:${at.character + 1} - error TS${wrong.code}: ${text}`);
  }
  return { code: outputText, map: JSON.parse(sourceMapText) };
}

module.exports = { findCompiler, compile };
