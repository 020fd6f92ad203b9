/** The OpenAPI file, for tests that hold the server to it. */
import { readFileSync } from 'node:fs'
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import { expect } from 'vitest'

interface Reference {
  readonly $ref: string
}

export interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly required?: boolean
  readonly schema: object
  readonly example?: unknown
  /** The type of the body that it goes with. */
  readonly 'x-body'?: string
}

export interface MediaType {
  readonly schema: object
  readonly example?: unknown
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>
}

interface Answer {
  readonly description: string
  readonly content?: Readonly<Record<string, MediaType>>
}

interface Operation {
  readonly operationId: string
  readonly tags: readonly string[]
  readonly parameters?: readonly (Parameter | Reference)[]
  readonly requestBody?: { readonly content: Readonly<Record<string, MediaType>> }
  readonly responses: Readonly<Record<string, Answer | Reference>>
}

interface PathItem {
  readonly parameters?: readonly (Parameter | Reference)[]
  readonly [method: string]: Operation | readonly (Parameter | Reference)[] | undefined
}

interface OpenApi {
  readonly info: { readonly version: string }
  readonly paths: Readonly<Record<string, PathItem>>
  readonly components: { readonly schemas: Readonly<Record<string, object>> }
}

export const openApiText = readFileSync(new URL('../../server/api/openapi.json', import.meta.url), 'utf8')
export const openApi = JSON.parse(openApiText) as OpenApi

const ajv = new Ajv2020({ strict: true, allErrors: true, allowUnionTypes: true, strictRequired: false })

/** Schemas refer to each other by their place in the file, which as a whole is no schema. */
const standing = <T>(schema: T): T =>
  JSON.parse(JSON.stringify(schema).replaceAll('"#/components/schemas/', '"tutti:')) as T

for (const [name, schema] of Object.entries(openApi.components.schemas))
  ajv.addSchema(standing(schema), `tutti:${name}`)

const compiled = new Map<object, ValidateFunction>()

/** What is wrong with a value by a schema of the file; empty if nothing is. */
export const problemsOf = (schema: object, value: unknown): string[] => {
  let validate = compiled.get(schema)
  if (!validate) {
    validate = ajv.compile(standing(schema))
    compiled.set(schema, validate)
  }
  if (validate(value)) return []
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`)
}

const isReference = (value: object): value is Reference => '$ref' in value

const resolve = <T extends object>(value: T | Reference): T => {
  if (!isReference(value)) return value
  let found: unknown = openApi
  for (const part of value.$ref.slice(2).split('/')) found = (found as Record<string, unknown>)[part]
  if (found === undefined) throw new Error(`${value.$ref} is not in the file`)
  return found as T
}

export interface DocumentedOperation {
  readonly path: string
  /** Upper case. */
  readonly method: string
  readonly operation: Operation
  readonly parameters: readonly Parameter[]
}

const operationsOf = ([path, { parameters: shared = [], ...methods }]: [string, PathItem]): DocumentedOperation[] =>
  Object.entries(methods as Readonly<Record<string, Operation>>).map(([method, operation]) => ({
    path,
    method: method.toUpperCase(),
    operation,
    parameters: [...shared, ...(operation.parameters ?? [])].map(resolve<Parameter>),
  }))

export const operations: readonly DocumentedOperation[] = Object.entries(openApi.paths).flatMap(operationsOf)

export interface Given {
  readonly status: number
  /** As the header gives it. */
  readonly type: string | null
  readonly text: string
}

/** Fails unless an answer is one that the file has for this operation. */
export const expectDocumented = ({ path, method, operation }: DocumentedOperation, given: Given): void => {
  const where = `${method} ${path} → ${given.status} ${given.text.slice(0, 200)}`
  const status = String(given.status)
  const answer = operation.responses[status]
  if (answer === undefined) throw new Error(`${where}: only ${Object.keys(operation.responses)} are in the file`)
  const { content } = resolve(answer)
  if (content === undefined) {
    expect(given.text, where).toBe('')
    return
  }
  const type = given.type ?? ''
  expect(Object.keys(content), where).toContain(type)
  if (type !== 'application/json') return
  expect(problemsOf(content[type]!.schema, JSON.parse(given.text)), where).toEqual([])
}
