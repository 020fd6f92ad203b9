import type { Caller } from '../contracts.ts'

/** What a handshake and an HTTP request have in common. */
type Asking = Pick<Caller, 'address' | 'path' | 'query' | 'header'>

/** @param socket the connection, if it is one; its id is made only when someone asks for it */
export const callerOf = (
  door: Caller['door'],
  { address, path, query, header }: Asking,
  socket?: { readonly id: string },
): Caller => ({
  door,
  get id() {
    return socket?.id
  },
  address,
  path,
  query,
  header,
  state: {},
})
