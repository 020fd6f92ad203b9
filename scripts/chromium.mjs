// @ts-check
/** Finds the Chromium that browser tests drive. `node scripts/chromium.mjs` prints its path; `--install` may add it. */
import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import process from 'node:process'
import { pathToFileURL } from 'node:url'

const NAMES = [
  'chromium',
  'chromium-browser',
  'google-chrome',
  'google-chrome-stable',
  'chrome',
  'microsoft-edge',
  'microsoft-edge-stable',
]

const MAC_APPS = ['Chromium', 'Google Chrome', 'Microsoft Edge']

const WINDOWS_PATHS = [
  'Chromium\\Application\\chrome.exe',
  'Google\\Chrome\\Application\\chrome.exe',
  'Microsoft\\Edge\\Application\\msedge.exe',
]

/** @returns {string[]} */
const candidates = () => {
  const env = process.env
  if (process.platform === 'win32') {
    return [env.PROGRAMFILES, env['PROGRAMFILES(X86)'], env.LOCALAPPDATA]
      .filter((folder) => folder !== undefined)
      .flatMap((folder) => WINDOWS_PATHS.map((path) => join(folder, path)))
  }
  if (process.platform === 'darwin') {
    return ['/Applications', join(env.HOME ?? '/', 'Applications')].flatMap((folder) =>
      MAC_APPS.map((app) => join(folder, `${app}.app`, 'Contents', 'MacOS', app)),
    )
  }
  const folders = [...(env.PATH ?? '').split(delimiter), '/usr/bin', '/usr/local/bin', '/snap/bin']
  return NAMES.flatMap((name) => folders.filter((folder) => folder !== '').map((folder) => join(folder, name)))
}

/** @param {string} path */
const runs = (path) => {
  if (!existsSync(path)) return false
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch (error) {
    if (error instanceof Error) return false
    throw error
  }
}

/**
 * The path of a browser that Playwright can drive, or `undefined`. `CHROMIUM_PATH` comes before the usual places; if
 * it is set and not there, that is an error, since somebody meant it.
 * @returns {string | undefined}
 */
export const findChromium = () => {
  const wanted = process.env.CHROMIUM_PATH
  if (wanted) {
    if (!runs(wanted)) throw new Error(`CHROMIUM_PATH is "${wanted}", which is not there or can't be executed.`)
    return wanted
  }
  return candidates().find(runs)
}

const APT_INSTALL = 'apt-get update && apt-get install -y --no-install-recommends chromium fonts-liberation'

/** The one command that makes the browser tests run on this system. */
export const chromiumHint = () => {
  switch (process.platform) {
    case 'darwin':
      return 'brew install --cask chromium'
    case 'win32':
      return 'winget install --exact --id Google.Chrome'
    default:
      return isDebian()
        ? `sudo sh -c '${APT_INSTALL}'`
        : 'install Chromium with your package manager, or set CHROMIUM_PATH'
  }
}

/** Debian itself: Ubuntu's `chromium` package is a stub that needs snap. */
export const isDebian = () =>
  process.platform === 'linux' &&
  existsSync('/etc/os-release') &&
  /^ID="?debian"?$/m.test(readFileSync('/etc/os-release', 'utf8'))

/**
 * Finds the browser, or installs it where that needs no question: on Debian as root.
 * @returns {string | undefined}
 */
export const ensureChromium = () => {
  const found = findChromium()
  if (found !== undefined || !isDebian() || process.getuid?.() !== 0) return found
  process.stderr.write(`No Chromium here; installing it: ${APT_INSTALL}\n`)
  const { status } = spawnSync('sh', ['-c', APT_INSTALL], {
    stdio: ['ignore', 2, 2],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  })
  if (status !== 0) process.stderr.write(`Installing Chromium failed (exit code ${status}).\n`)
  return findChromium()
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const path = process.argv.includes('--install') ? ensureChromium() : findChromium()
  if (path === undefined) process.stderr.write(`No Chromium found. To get it: ${chromiumHint()}\n`)
  else process.stdout.write(`${path}\n`)
  process.exitCode = path === undefined ? 1 : 0
}
