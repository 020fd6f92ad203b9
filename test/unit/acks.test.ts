import { expect, test } from 'vitest'
import { Acks } from '../../server/room/acks.ts'

test('acknowledgements are cumulative and follow what is durable', () => {
  const acks = new Acks()
  acks.settle(acks.receive(), 5, false)
  acks.settle(acks.receive(), 5, false)
  acks.settle(acks.receive(), 9, false)
  expect(acks.advance(4)).toBe(false)
  expect(acks.advance(5)).toBe(true)
  expect(acks.acknowledged).toBe(2)
  expect(acks.advance(8)).toBe(false)
  expect(acks.advance(9)).toBe(true)
  expect(acks.acknowledged).toBe(3)
  expect(acks.hasPending).toBe(false)
})

test('a frame that was not stored stops the count until a covering step 2 is durable', () => {
  const acks = new Acks()
  acks.settle(acks.receive(), 1, false)
  acks.stall(acks.receive())
  acks.settle(acks.receive(), 2, false)
  expect(acks.advance(2)).toBe(true)
  expect(acks.acknowledged).toBe(1)
  acks.settle(acks.receive(), 3, true)
  expect(acks.advance(2)).toBe(false)
  expect(acks.advance(3)).toBe(true)
  expect(acks.acknowledged).toBe(4)
})

test('a step 2 that was itself not stored covers nothing', () => {
  const acks = new Acks()
  acks.stall(acks.receive())
  acks.stall(acks.receive())
  acks.settle(acks.receive(), 1, false)
  expect(acks.advance(1)).toBe(false)
})
