/// <reference types="vite/client" />

/** A marked region of a source file, highlighted by the build: `import html from './board.ts?region=board&code'`. */
declare module '*&code' {
  const html: string
  export default html
}
