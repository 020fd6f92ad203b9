// @ts-check
/**
 * What some suites need besides Node and a browser: other languages' own tools, for the applications in
 * demo/backends and for signatures made by hand. Found where they are, installed where that needs no question.
 */
import { spawnSync } from 'node:child_process'
import process from 'node:process'
import { isDebian } from './chromium.mjs'

/**
 * @typedef {{ readonly title: string, readonly debian: string, readonly elsewhere: string,
 *   readonly candidates: readonly string[], readonly check: readonly string[] }} Tool
 */

const TOOLS = /** @type {const} */ ({
  django: {
    title: 'Python with Django',
    debian: 'python3-django',
    elsewhere: 'python3 -m pip install django',
    // A Python of one's own may come first in PATH and not know Debian's packages.
    candidates: ['python3', 'python', '/usr/bin/python3'],
    check: ['-c', 'import django'],
  },
  python: {
    title: 'Python 3',
    debian: 'python3',
    elsewhere: 'install Python 3 (python.org)',
    candidates: ['python3', 'python', '/usr/bin/python3'],
    check: ['-c', 'import sys; sys.exit(sys.version_info < (3, 8))'],
  },
  php: {
    title: 'PHP on the command line',
    debian: 'php-cli',
    elsewhere: 'install the PHP command line (php.net)',
    candidates: ['php'],
    check: ['-r', 'exit(function_exists("hash_hmac") ? 0 : 1);'],
  },
  openssl: {
    title: 'the openssl command',
    debian: 'openssl',
    elsewhere: 'install OpenSSL',
    candidates: ['openssl'],
    check: ['version'],
  },
  curl: {
    title: 'curl',
    debian: 'curl',
    elsewhere: 'install curl (curl.se)',
    candidates: ['curl'],
    check: ['--version'],
  },
})

/** @typedef {keyof typeof TOOLS} ToolName */

/**
 * The command of a tool, or `undefined` if it is not on this machine.
 * @param {ToolName} name
 * @returns {string | undefined}
 */
export const findTool = (name) => {
  const { candidates, check } = TOOLS[name]
  return candidates.find((command) => spawnSync(command, check, { stdio: 'ignore' }).status === 0)
}

/** @param {readonly string[]} packages */
const aptInstall = (packages) => `apt-get update && apt-get install -y --no-install-recommends ${packages.join(' ')}`

/**
 * The one command that brings a tool to this system.
 * @param {ToolName} name
 */
export const toolHint = (name) =>
  isDebian() ? `sudo sh -c '${aptInstall([TOOLS[name].debian])}'` : TOOLS[name].elsewhere

/**
 * Installs the tools that are missing, on Debian as root, and returns those that still are.
 * @returns {{ name: ToolName, title: string, hint: string }[]}
 */
export const ensureTools = () => {
  const names = /** @type {ToolName[]} */ (Object.keys(TOOLS))
  const missing = names.filter((name) => findTool(name) === undefined)
  if (missing.length > 0 && isDebian() && process.getuid?.() === 0) {
    const command = aptInstall(missing.map((name) => TOOLS[name].debian))
    process.stderr.write(`Missing: ${missing.map((name) => TOOLS[name].title).join(', ')}; installing: ${command}\n`)
    const { status } = spawnSync('sh', ['-c', command], {
      stdio: ['ignore', 2, 2],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    })
    if (status !== 0) process.stderr.write(`Installing failed (exit code ${status}).\n`)
  }
  return missing
    .filter((name) => findTool(name) === undefined)
    .map((name) => ({ name, title: TOOLS[name].title, hint: toolHint(name) }))
}
