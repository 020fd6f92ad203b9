/** The reactive core behind one file. A shared instance of `@preact/signals-core` lets Preact users track for free. */
import type { Signal } from '@preact/signals-core'

export { batch, computed, effect, type ReadonlySignal, Signal, signal, untracked } from '@preact/signals-core'

/**
 * Whether a computation has just recorded its reading of `fresh`, a signal that nothing read before. signals-core has
 * no public question for "is anything tracking?"; its sister packages rely on the same mangled name. Without the
 * field the answer is yes, which costs memory only. A test watches over it.
 */
export const isRecorded = (fresh: Signal): boolean => !('n' in fresh) || fresh.n !== undefined
