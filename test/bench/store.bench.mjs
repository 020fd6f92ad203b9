// @ts-check
/**
 * What the store adds to a remote change. Two documents hold the same 10,000 items and take the same updates in turn:
 * one with a raw Yjs observer on each item, one behind a store with an effect that read one field of each item.
 */
import process from 'node:process'
import * as Y from 'yjs'
import { createStore, s } from '../../dist/lib/index.js'
import { median, print, spread } from './figures.mjs'

const ITEMS = 10_000
const ROUNDS = 40
const WARM_UP = 10
const CHANGES = 200

const schema = { items: s.list(s.object({ id: s.string(), text: s.string(), done: s.boolean() })) }

const source = createStore({ schema, undo: false })
source.transact((state) => {
  state.items.push(
    ...Array.from({ length: ITEMS }, (_, index) => ({
      id: `item-${index}`,
      text: `Item number ${index}`,
      done: false,
    })),
  )
})
const base = Y.encodeStateAsUpdate(source.doc)

// One after the other, and each kept: the heap between is what the observers, or nodes and effects, take.
const heap = () => {
  global.gc?.()
  return process.memoryUsage().heapUsed
}

const raw = new Y.Doc()
Y.applyUpdate(raw, base)
let observed = 0
const rawBefore = heap()
for (const item of /** @type {Y.Array<Y.Map<unknown>>} */ (raw.getArray('items'))) {
  item.observe(() => {
    observed += item.get('done') === true ? 1 : 0
  })
}
const rawHeap = heap() - rawBefore

const store = createStore({ schema, undo: false })
Y.applyUpdate(store.doc, base)
let ran = 0
const storeBefore = heap()
for (const item of store.state.items) {
  store.effect(() => {
    ran += item.done ? 1 : 0
  })
}
const storeHeap = heap() - storeBefore

/** @type {Uint8Array[]} */
const updates = []
source.doc.on('update', (update) => updates.push(update))

// A fixed sequence of places (Lehmer generator), so that every run does the same.
let place = 1
const nextPlace = () => {
  place = (place * 48_271) % 0x7fffffff
  return place
}

const { items } = source.state
const CHANGE = {
  'edit a field': () => {
    const item = /** @type {(typeof items)[number]} */ (items[nextPlace() % items.length])
    item.done = !item.done
  },
  'insert an item': () => {
    items.insert(nextPlace() % items.length, { id: 'new', text: 'A new item', done: false })
  },
  'delete an item': () => {
    items.remove(nextPlace() % items.length)
  },
}

/** @param {Y.Doc} doc @param {Uint8Array} change @returns {number} µs */
const measure = (doc, change) => {
  const start = process.hrtime.bigint()
  Y.applyUpdate(doc, change)
  return Number(process.hrtime.bigint() - start) / 1000
}

const micro = (/** @type {number} */ value) => `${value.toFixed(1)} µs`
const times = (/** @type {number} */ value) => `${value.toFixed(2)}`

print(`${ITEMS} items with one subscriber each; medians of ${CHANGES} remote changes (least–most of ${ROUNDS} rounds)`)
for (const [what, change] of Object.entries(CHANGE)) {
  /** @type {number[]} */
  const rawTimes = []
  /** @type {number[]} */
  const storeTimes = []
  for (let round = 0; round < ROUNDS + WARM_UP; round++) {
    for (let count = 0; count < CHANGES; count++) change()
    /** @type {number[]} */
    const rawRound = []
    /** @type {number[]} */
    const storeRound = []
    // Change by change in turn, each first every other time: what else the machine does meets both alike.
    updates.splice(0).forEach((update, index) => {
      if (index % 2 === 0) rawRound.push(measure(raw, update))
      storeRound.push(measure(store.doc, update))
      if (index % 2 === 1) rawRound.push(measure(raw, update))
    })
    if (round < WARM_UP) continue
    rawTimes.push(median(rawRound))
    storeTimes.push(median(storeRound))
  }
  const ratios = storeTimes.map((time, index) => time / /** @type {number} */ (rawTimes[index]))
  print(`  ${what}: Yjs with raw observers ${spread(rawTimes, micro)}, store ${spread(storeTimes, micro)}`)
  print(`    ratio ${spread(ratios, times)}${what === 'edit a field' ? ' (to reach: at most 1.5)' : ''}`)
}
if (observed !== ran || ran === 0) throw new Error(`The observers ran ${observed} times, the effects ${ran} times.`)
if (JSON.stringify(store.doc.getArray('items')) !== JSON.stringify(raw.getArray('items'))) {
  throw new Error('The two documents differ.')
}
print(
  `  heap for the subscribers: raw ${(rawHeap / 2 ** 20).toFixed(1)} MiB, store ${(storeHeap / 2 ** 20).toFixed(1)} MiB (nodes included)`,
)
