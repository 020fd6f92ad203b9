/** Copies text; where the page may not (no secure address), says so by `false`. */
export const copyText = async (text: string): Promise<boolean> => {
  if (navigator.clipboard === undefined) return false
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch (error) {
    if (error instanceof DOMException) return false
    throw error
  }
}
