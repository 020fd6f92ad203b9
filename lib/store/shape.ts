import { fail } from './failure.ts'
import { newId, parse } from './parse.ts'
import { isSchema, type Path, type Schema, type Shape } from './schema.ts'

/**
 * Checks the shape of a document or of a part of it: its fields are schemas, its names are usable, its defaults fit.
 * Throws `INVALID_SCHEMA`.
 */
export const checkShape = (shape: Shape, at: Path = []): void => {
  if (typeof shape !== 'object' || shape === null) fail('INVALID_SCHEMA', at, 'the schema is not an object')
  // Within, so that bundlers see that the whole is unused in production.
  const check = (schema: Schema, path: Path): void => {
    if (!isSchema(schema)) fail('INVALID_SCHEMA', path, 'not a schema')
    const name = path.at(-1)
    if (name === '' || name === '__proto__') fail('INVALID_SCHEMA', path, 'not a usable name')
    if (schema.fallback !== undefined) {
      try {
        parse(schema, schema.fallback, path, newId)
      } catch (cause) {
        fail('INVALID_SCHEMA', path, 'its default does not fit', cause)
      }
    }
    checkFields(schema.fields, path)
    if ('item' in schema) check(schema.item, [...path, '*'])
  }
  const checkFields = (fields: Shape, path: Path): void => {
    for (const [key, schema] of Object.entries(fields)) check(schema, [...path, key])
  }
  checkFields(shape, at)
}
