import { readFile } from 'node:fs/promises'

/** The OpenAPI file of this server, as text. It stands beside this module, also in the package. */
export const readOpenApi = (): Promise<string> => readFile(new URL('./openapi.json', import.meta.url), 'utf8')
