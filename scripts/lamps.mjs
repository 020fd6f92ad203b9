// @ts-check
/** `npm run lamps`: the simulated street lamps, from an up-to-date build. */
import { runBuilt } from './runBuilt.mjs'

await runBuilt('demoBackend/fleet/main.js')
