/** An application's own back end (demo/backend/application.ts), on a port of its own of this page's host. */

/** What came of a post, in words. */
export interface Posted {
  readonly isPushed: boolean
  readonly answer: string
}

const isPort = (value: unknown): value is number => typeof value === 'number' && Number.isInteger(value)

/** Where the application listens; `undefined` if this server has none. */
const findApplication = async (): Promise<URL | undefined> => {
  const response = await fetch(new URL('/application.json', location.href), { cache: 'no-store' })
  if (!response.ok) return undefined
  const { port } = (await response.json()) as { readonly port: unknown }
  if (!isPort(port)) return undefined
  const address = new URL('/announcements', location.href)
  address.port = String(port)
  return address
}

// #region form
/** An ordinary form post: the page knows nothing of how it comes back. */
const post = async (address: URL, room: string, text: string): Promise<Posted> => {
  const response = await fetch(address, { method: 'POST', body: new URLSearchParams({ room, text }) })
  return { isPushed: response.ok, answer: `${response.status} ${(await response.text()).trim()}` }
}
// #endregion

const SILENT: Posted = { isPushed: false, answer: 'The application does not answer.' }

/** Posts the form to the application, wherever it listens now. */
export const announce = async (room: string, text: string): Promise<Posted> => {
  try {
    const address = await findApplication()
    return address === undefined ? SILENT : await post(address, room, text)
  } catch (error) {
    // What `fetch` says of a server that is not there, and what is no JSON.
    if (error instanceof TypeError || error instanceof SyntaxError) return SILENT
    throw error
  }
}
