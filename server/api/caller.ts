import type { ApiRequest, Caller } from '../contracts.ts'

/** Who sent a request, for those who say whether they may. */
export const callerOf = ({ address, path, query, header }: ApiRequest): Caller => ({
  door: 'http',
  id: undefined,
  address,
  path,
  query,
  header,
  state: {},
})
