/** A text without its percent-encoding; `undefined` if that is not UTF-8. */
export const percentDecoded = (text: string): string | undefined => {
  if (!text.includes('%')) return text
  try {
    return decodeURIComponent(text)
  } catch (error) {
    if (error instanceof URIError) return undefined
    throw error
  }
}
