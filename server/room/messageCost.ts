/** What a message that waits costs beside its bytes, in bytes of memory (measured: 430 for an empty one). */
export const MESSAGE_COST = 512
