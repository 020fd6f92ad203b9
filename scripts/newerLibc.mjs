// @ts-check
/**
 * Lets a Node binary run with a newer glibc than the system's, for tests only: uWebSockets.js for Node 24 needs glibc
 * 2.38, and Debian 12 has 2.36. The library comes from Debian 13's package, beside the system's own and unknown to it;
 * only this copy of the binary is told to load it.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { isDebian } from './chromium.mjs'

const NEEDED = [2, 38]
const FIRST_NODE = 24
const DEBIAN = 'trixie'
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'

/** @returns {string} such as `2.36`; empty where there is no glibc */
const glibcVersion = () => {
  const report = /** @type {{ header: { glibcVersionRuntime?: string } }} */ (process.report.getReport())
  return report.header.glibcVersionRuntime ?? ''
}

/** @param {string} nodeVersion as asked for: `22`, `20.19` */
export const needsNewerLibc = (nodeVersion) => {
  const [major = 0, minor = 0] = glibcVersion().split('.').map(Number)
  const [neededMajor = 0, neededMinor = 0] = NEEDED
  const old = major < neededMajor || (major === neededMajor && minor < neededMinor)
  return process.platform === 'linux' && Number.parseInt(nodeVersion, 10) >= FIRST_NODE && old
}

/**
 * Runs a command; its output goes to stderr, unless it is asked for.
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd?: string, read?: boolean }} [options]
 */
const run = (command, args, { cwd, read = false } = {}) => {
  const { status, stdout, error } = spawnSync(command, args, {
    ...(cwd === undefined ? {} : { cwd }),
    stdio: ['ignore', read ? 'pipe' : 2, 2],
    encoding: 'utf8',
  })
  if (error) throw error
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed with exit code ${status}.`)
  return stdout ?? ''
}

/**
 * Patches the binary to load Debian 13's glibc, which is put into `folder`.
 * @param {string} node path of the binary
 * @param {string} folder
 */
export const patchLibc = (node, folder) => {
  if (!isDebian() || process.getuid?.() !== 0) {
    throw new Error(
      `uWebSockets.js for Node ${FIRST_NODE} needs glibc ${NEEDED.join('.')}, this system has ${glibcVersion()}. ` +
        'Run this on Debian 13 or Ubuntu 24.04; on an older Debian, as root, it can get the newer glibc itself.',
    )
  }
  const root = join(folder, 'root')
  const libraries = join(root, 'usr', 'lib', process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu')
  mkdirSync(join(folder, 'lists', 'partial'), { recursive: true })

  run('apt-get', ['update', '-q'])
  run('apt-get', ['install', '-y', '-q', '--no-install-recommends', 'patchelf'])
  if (!existsSync(libraries)) {
    // The mirror that this system already uses, asked for the newer release.
    const format = '$(REPO_URI) $(CODENAME)'
    const [uri] =
      run('apt-get', ['indextargets', '--format', format, 'Created-By: Packages'], { read: true })
        .split('\n')
        .map((line) => line.split(' '))
        .find(([uri, codename]) => uri?.endsWith('/debian/') && codename === 'bookworm') ?? []
    if (uri === undefined) throw new Error('apt knows no mirror of Debian 12 to ask for Debian 13.')
    const sources = join(folder, 'newer.list')
    writeFileSync(sources, `deb [signed-by=${KEYRING}] ${uri} ${DEBIAN} main\n`)
    const newer = [
      ['-o', `Dir::Etc::sourcelist=${sources}`],
      ['-o', 'Dir::Etc::sourceparts=-'],
      ['-o', `Dir::State::lists=${join(folder, 'lists')}`],
      ['-o', 'APT::Sandbox::User=root'],
    ].flat()
    run('apt-get', [...newer, 'update', '-q'])
    run('apt-get', [...newer, 'download', '-q', 'libc6'], { cwd: folder })
    const archive = readdirSync(folder).find((file) => file.startsWith('libc6_') && file.endsWith('.deb'))
    if (archive === undefined) throw new Error('apt-get downloaded no libc6.')
    run('dpkg', ['-x', join(folder, archive), root])
  }
  const loader = readdirSync(libraries).find((file) => file.startsWith('ld-linux'))
  if (loader === undefined) throw new Error(`${libraries} has no loader.`)
  const system = ['/lib', '/usr/lib'].map((path) => join(path, libraries.slice(libraries.lastIndexOf('/') + 1)))
  run('patchelf', [
    '--set-interpreter',
    join(libraries, loader),
    '--set-rpath',
    [libraries, ...system].join(':'),
    // An rpath of the old kind also holds for what the binary loads later: native addons.
    '--force-rpath',
    node,
  ])
}
