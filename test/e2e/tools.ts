/** Suites that need a tool of another language; see scripts/tools.mjs. */
import process from 'node:process'
import { describe, test } from 'vitest'
import { findTool, type ToolName, toolHint } from '../../scripts/tools.mjs'

/**
 * `describe` for suites that need a tool: without it they are skipped, and their title says how to get it. Under
 * `CI=true` a missing tool is a failure instead.
 */
export const describeWithTool = (tool: ToolName, title: string, suite: (command: string) => void): void => {
  const command = findTool(tool)
  const reason = `no ${tool} here; to get it: ${toolHint(tool)}`
  if (command !== undefined) {
    describe(title, () => suite(command))
  } else if (process.env.CI === 'true') {
    describe(title, () => {
      test(`has ${tool}`, () => {
        throw new Error(`CI=true skips nothing, and there is ${reason}`)
      })
    })
  } else {
    describe.skip(`${title} (skipped: ${reason})`, () => suite(''))
  }
}
