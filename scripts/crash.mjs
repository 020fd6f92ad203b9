// Kills the built server under load and looks for what it had acknowledged: node scripts/crash.mjs [--rounds 200] [--seed n]
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { runnerImport } from 'vite'

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '200' }, seed: { type: 'string' } },
})
const rounds = Number(values.rounds)
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed)
if (!Number.isInteger(rounds) || rounds < 1 || !Number.isInteger(seed)) {
  console.error('--rounds takes a whole number from 1, --seed a whole number')
  process.exit(2)
}
console.log(`seed ${seed}`)
const path = fileURLToPath(new URL('../test/e2e/crashRounds.ts', import.meta.url))
const { module } = await runnerImport(path, { configFile: false, logLevel: 'error' })
const figures = await module.runCrashRounds({ rounds, seed, report: console.log })
console.log(figures)
