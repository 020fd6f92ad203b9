import { fileURLToPath } from 'node:url'
import { createServer } from 'vite'

export interface VitePages {
  /** Of the page. */
  readonly url: string
  close(): Promise<void>
}

/**
 * Serves a page beside the tests, with the sources that it imports, as an application in development has them.
 * @param folder its name
 * @param dependencies what the page loads from node_modules: all of it, or Vite would load the page a second time
 */
export const serveVitePages = async (folder: string, dependencies: string[]): Promise<VitePages> => {
  const server = await createServer({
    configFile: false,
    root: fileURLToPath(new URL(`./${folder}`, import.meta.url)),
    logLevel: 'error',
    cacheDir: fileURLToPath(new URL(`../../node_modules/.vite-${folder}-test`, import.meta.url)),
    optimizeDeps: { include: dependencies },
    server: {
      host: '127.0.0.1',
      port: 0,
      hmr: false,
      fs: { allow: [fileURLToPath(new URL('../../', import.meta.url))] },
    },
  })
  await server.listen()
  return { url: server.resolvedUrls!.local[0]!, close: () => server.close() }
}
