/** The order in which rooms are listed: that of their names' UTF-8 bytes, which is that of their code points. */

const isSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdfff

/** Below, at or above 0, as `Array.sort` takes it. JavaScript's own `<` puts U+10000 before U+E000. */
export const compareRoomNames = (a: string, b: string): number => {
  const shorter = Math.min(a.length, b.length)
  for (let i = 0; i < shorter; i++) {
    const [left, right] = [a.charCodeAt(i), b.charCodeAt(i)]
    if (left === right) continue
    const leftPair = isSurrogate(left)
    return leftPair === isSurrogate(right) ? left - right : leftPair ? 1 : -1
  }
  return a.length - b.length
}
