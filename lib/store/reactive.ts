/** The reactive core behind one file. A shared instance of `@preact/signals-core` lets Preact users track for free. */
export { batch, computed, effect, type ReadonlySignal, Signal, signal, untracked } from '@preact/signals-core'
