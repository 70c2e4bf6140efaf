// Makes src/assets.ts of the style, the script and the icon, so that a bundle holds them and no file is read at run time.
// `node page/write-assets.mjs` writes it; test/assets.test.ts fails when it is out of date.
import { readFileSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import ts from 'typescript'

const textOf = (name) => readFileSync(new URL(name, import.meta.url), 'utf8')

/** The text of src/assets.ts. */
export function assetsModule() {
  const { outputText: live } = ts.transpileModule(textOf('live.ts'), {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, removeComments: true },
  })
  const style = textOf('style.css').replace(/\/\*.*?\*\/\s*/gs, '')
  const assets = { style, live, icon: textOf('icon.svg') }
  const lines = Object.entries(assets).map(([name, text]) => `export const ${name} = ${literal(text)}\n`)
  return `/** Written by page/write-assets.mjs, from the files beside it. */\n${lines.join('')}`
}

function literal(text) {
  return `\`${text.replace(/[\\`]|\$\{/g, '\\$&')}\``
}

if (import.meta.url === pathToFileURL(process.argv[1]).href)
  writeFileSync(new URL('../src/assets.ts', import.meta.url), assetsModule())
