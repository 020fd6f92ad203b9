/** Builds schemas: `s.object({ title: s.string(), done: s.boolean().default(false) })`. */
export { list } from './list.ts'
export { object } from './object.ts'
export { record } from './record.ts'
export { text } from './text.ts'
export { boolean, bytes, date, id, json, literal, number, string } from './values.ts'
