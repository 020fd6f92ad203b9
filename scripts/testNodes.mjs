// @ts-check
/**
 * `npm run test:nodes [-- 22 24 …]`: a clean install and the whole suite on each supported version of Node, with
 * binaries from npm. Each version works in a copy of its own under .test-nodes/, since npm installs a native binary
 * only for the Node that runs it.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import process from 'node:process'
import { needsNewerLibc, patchLibc } from './newerLibc.mjs'
import { ROOT } from './paths.mjs'

/** The oldest version that `engines` allows, and each later line with long support. */
const VERSIONS = ['20.19', '22', '24']

const FOLDER = join(ROOT, '.test-nodes')

/** npm's own script, to run it with a given Node: `npm` itself would use the first Node of the PATH. */
const npmScript = () => {
  const script = process.env.npm_execpath
  if (script === undefined) throw new Error('Start this as `npm run test:nodes`: it needs to know where npm is.')
  return script
}

/**
 * @param {string} node path of the binary
 * @param {string[]} args
 * @param {string} cwd
 */
const run = (node, args, cwd) => {
  const { status, error } = spawnSync(node, args, {
    cwd,
    stdio: 'inherit',
    // Children that are started as plain `node` or `npm` must be this version too.
    env: { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH ?? ''}` },
  })
  if (error) throw error
  return status === 0
}

/** @param {string} version @returns {string} path of its binary */
const installNode = (version) => {
  const platform = process.platform === 'win32' ? 'win' : process.platform
  const name = `node-${platform}-${process.arch}`
  const folder = join(FOLDER, version, 'node')
  const binary = join(folder, 'node_modules', name, 'bin', process.platform === 'win32' ? 'node.exe' : 'node')
  if (!existsSync(binary)) {
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
    if (!run(process.execPath, [npmScript(), 'install', '--no-save', `${name}@${version}`], folder)) {
      throw new Error(`npm has no ${name}@${version}, or can't install it here.`)
    }
    try {
      if (needsNewerLibc(version)) patchLibc(binary, join(FOLDER, version, 'libc'))
    } catch (error) {
      // Half made is not there: the next run begins anew.
      rmSync(folder, { recursive: true, force: true })
      throw error
    }
  }
  return binary
}

/**
 * Copies what git knows and what it would add: the work tree as it is, without what is ignored.
 * @param {string} to
 */
const copyProject = (to) => {
  const { stdout, status } = spawnSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error('`git ls-files` failed: this script copies what git lists.')
  rmSync(to, { recursive: true, force: true })
  for (const file of stdout.split('\0')) {
    if (file !== '' && existsSync(join(ROOT, file))) cpSync(join(ROOT, file), join(to, file))
  }
}

/** @param {string} version @returns {boolean} */
const testOn = (version) => {
  const node = installNode(version)
  const project = join(FOLDER, version, 'project')
  copyProject(project)
  return run(node, [npmScript(), 'ci'], project) && run(node, [join('scripts', 'test.mjs')], project)
}

const wanted = process.argv.slice(2)
/** @type {[version: string, passed: boolean][]} */
const results = []
for (const version of wanted.length > 0 ? wanted : VERSIONS) {
  process.stdout.write(`\n== Node ${version}\n`)
  try {
    results.push([version, testOn(version)])
  } catch (error) {
    process.stdout.write(`${error instanceof Error ? error.message : error}\n`)
    results.push([version, false])
  }
}

process.stdout.write('\n')
for (const [node, passed] of results) process.stdout.write(`${passed ? 'ok    ' : 'FAILED'} Node ${node}\n`)
process.exitCode = results.every(([, passed]) => passed) ? 0 : 1
