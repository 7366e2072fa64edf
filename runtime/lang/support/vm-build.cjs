// Strips the types off one TypeScript file: vm-build.cjs FILE OUTDIR. It takes the
// compiler that the VM has (tsc), else what Node has built in, and exits with 1
// when the file is no TypeScript, or 127 when there is neither.
// Types are not checked: that takes seconds, and an editor does it already.
'use strict';
const fs = require('fs');
const path = require('path');
const vmModule = require('module');
const { findCompiler } = require('./vm-typescript.cjs');

const [file, outDir] = process.argv.slice(2);
const code = fs.readFileSync(file, 'utf8');
const name = path.basename(file).replace(/\.[cm]?ts$/, '');
const topLevelAwait = /^(await\b|for await\b|(const|let|var)\s[^=\n]*=\s*await\b)/m.test(code);
const moduleSyntax = /^\s*(import\s*[\w{*'"]|export\s)/m.test(code);

function emit(js, isModule) {
  fs.mkdirSync(outDir, { recursive: true });
  fs.writeFileSync(path.join(outDir, 'package.json'), JSON.stringify({ type: isModule ? 'module' : 'commonjs' }));
  fs.writeFileSync(path.join(outDir, name + '.js'), js);
}

function transpile(ts) {
  const asModule = topLevelAwait || /\bimport\.meta\b/.test(code);
  const { outputText, diagnostics } = ts.transpileModule(code, {
    fileName: file,
    reportDiagnostics: true,
    compilerOptions: {
      target: ts.ScriptTarget.ES2020,
      module: asModule ? ts.ModuleKind.ES2022 : ts.ModuleKind.CommonJS,
      esModuleInterop: true,
      experimentalDecorators: true,
      inlineSourceMap: true,
      sourceRoot: path.dirname(file),
    },
  });
  const errors = diagnostics.filter((d) => d.category === ts.DiagnosticCategory.Error);
  for (const d of errors) {
    const at = d.file.getLineAndCharacterOfPosition(d.start);
    const text = ts.flattenDiagnosticMessageText(d.messageText, '\n');
    console.error(`${file}:${at.line + 1}:${at.character + 1} - error TS${d.code}: ${text}`);
    console.error(`    ${code.split('\n')[at.line]}`);
  }
  if (errors.length > 0) process.exit(1);
  emit(asModule ? outputText : withNeighbours(outputText), asModule);
}

// withNeighbours adds to the first line, so that all lines stay where they are,
// what lets a script find the files beside its source; see vm-neighbours.cjs.
function withNeighbours(js) {
  if (!/\brequire\(\s*['"]\.\.?(\/|['"])/.test(js)) return js;
  const strict = js.startsWith('"use strict";') ? '"use strict";' : '';
  const neighbours = path.join(__dirname, 'vm-neighbours.cjs');
  return `${strict}require(${JSON.stringify(neighbours)})(${JSON.stringify(path.dirname(file))});${js.slice(strict.length)}`;
}

function strip() {
  process.removeAllListeners('warning');
  try {
    emit(vmModule.stripTypeScriptTypes(code, { mode: 'transform', sourceMap: true, sourceUrl: file }), topLevelAwait || moduleSyntax);
  } catch (e) {
    console.error(`${file}: ${e.message}`);
    process.exit(1);
  }
}

const ts = findCompiler();
if (ts) {
  transpile(ts);
} else if (vmModule.stripTypeScriptTypes) {
  strip();
} else {
  console.error('vm: no such program: tsc');
  process.exit(127);
}
