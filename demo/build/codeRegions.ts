import { readFile } from 'node:fs/promises'
import { createCssVariablesTheme, createHighlighterCore, type HighlighterCore } from 'shiki/core'
import { createJavaScriptRegexEngine } from 'shiki/engine/javascript'
import typescript from 'shiki/langs/typescript.mjs'
import type { Plugin } from 'vite'

/** A code tab shows at most this many lines. */
const MAX_LINES = 15

/** The lines between `// #region name` and `// #endregion` of a source, without common indentation. */
export const readRegion = (source: string, name: string): string => {
  const lines = source.split('\n')
  const start = lines.findIndex((line) => line.trim() === `// #region ${name}`)
  if (start === -1) throw new Error(`no "// #region ${name}"`)
  const length = lines.slice(start + 1).findIndex((line) => line.trim() === '// #endregion')
  if (length === -1) throw new Error(`"// #region ${name}" has no "// #endregion"`)
  if (length === 0 || length > MAX_LINES) {
    throw new Error(`region "${name}" has ${length} lines, a code tab shows 1 to ${MAX_LINES}`)
  }
  const body = lines.slice(start + 1, start + 1 + length)
  const indent = Math.min(
    ...body.filter((line) => line.trim() !== '').map((line) => line.length - line.trimStart().length),
  )
  return body.map((line) => line.slice(indent)).join('\n')
}

/**
 * `import html from './board.ts?region=board'` gives that region of the running source, highlighted. The code beside a
 * panel is the code that runs it, so the two can't drift apart.
 */
export const codeRegions = (): Plugin => {
  let highlighter: Promise<HighlighterCore> | undefined
  const highlight = async (code: string): Promise<string> => {
    highlighter ??= createHighlighterCore({
      themes: [createCssVariablesTheme({ name: 'ink', variablePrefix: '--code-', fontStyle: false })],
      langs: [typescript],
      engine: createJavaScriptRegexEngine(),
    })
    return (await highlighter).codeToHtml(code, { lang: 'typescript', theme: 'ink' })
  }
  return {
    name: 'demo:code-regions',
    enforce: 'pre',
    async load(id) {
      const [file, query] = id.split('?')
      const name = new URLSearchParams(query).get('region')
      if (file === undefined || name === null) return undefined
      this.addWatchFile(file)
      try {
        const html = await highlight(readRegion(await readFile(file, 'utf8'), name))
        return { code: `export default ${JSON.stringify(html)}`, moduleType: 'js' }
      } catch (error) {
        return this.error(`${file}: ${error instanceof Error ? error.message : String(error)}`)
      }
    },
  }
}
