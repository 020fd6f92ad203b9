/** Clocks over this are absurd: a thousand edits a second reach it after 8,900 years. Keeps sums of clocks exact. */
export const MAX_CLOCK = 2 ** 48

/**
 * Deepest nesting of objects and arrays in a value. Parsing is possible far deeper than encoding or comparing, and
 * other engines have smaller stacks: a value that one reader takes and another cannot handle would break the room.
 */
export const MAX_DEPTH = 512

/** Whether objects and arrays nest at most `depth` deep in a value. */
export const nestsWithin = (value: unknown, depth: number): boolean => {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return true
  if (depth === 0) return false
  for (const child of Array.isArray(value) ? value : Object.values(value)) {
    if (!nestsWithin(child, depth - 1)) return false
  }
  return true
}
