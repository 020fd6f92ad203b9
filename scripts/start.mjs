// @ts-check
/** `npm start`: the server, with the demo, from an up-to-date build. */
import process from 'node:process'
import { runBuilt } from './runBuilt.mjs'

await runBuilt('server/main.js', ['--demo', ...process.argv.slice(2)])
