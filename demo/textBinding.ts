import type * as Y from 'yjs'
import { type TextEdit, textEdit } from './textEdit.ts'

/**
 * Where a place in a text is after a change by somebody else, given as a Yjs delta. What is inserted right there comes
 * before it, or after it if the place `keeps` to the letter on its left, as the end of a selection does.
 */
const moved = (place: number, delta: Y.YTextEvent['delta'], keeps: 'left' | 'right'): number => {
  let index = 0
  let result = place
  for (const step of delta) {
    if (step.retain !== undefined) index += step.retain
    else if (typeof step.insert === 'string') {
      if (index < result || (index === result && keeps === 'right')) result += step.insert.length
      index += step.insert.length
    } else if (step.delete !== undefined && index < result) result -= Math.min(step.delete, result - index)
  }
  return result
}

/** The same edit in a text that `other` has changed meanwhile. */
const rebased = (edit: TextEdit, other: TextEdit): TextEdit => {
  if (edit.index <= other.index) return edit
  const past = Math.max(edit.index, other.index + other.removed)
  return { ...edit, index: past + other.inserted.length - other.removed }
}

/**
 * Keeps a textarea and a shared text equal, the selection at its letters, and the undo of the browser out of it: that
 * one would undo what others wrote. Returns the function that ends it.
 */
// #region letter
export const bindText = (area: HTMLTextAreaElement, text: Y.Text, write: (edit: TextEdit) => void): (() => void) => {
  let shown = text.toString()
  let writing = false
  const onInput = (event: Event) => {
    const edit = rebased(textEdit(shown, area.value, area.selectionEnd), textEdit(shown, text.toString(), Infinity))
    writing = true
    write(edit) // one transaction: text.delete(index, removed), text.insert(index, inserted)
    writing = false
    shown = area.value
    if (!(event instanceof InputEvent && event.isComposing)) show([])
  }
  const onChange = (event: Y.YTextEvent) => {
    if (!writing && !composing) show(event.delta)
  }
  // #endregion
  let composing = false
  const show = (delta: Y.YTextEvent['delta']) => {
    shown = text.toString()
    if (area.value === shown) return
    const { selectionStart, selectionEnd, selectionDirection, scrollTop } = area
    area.value = shown
    if (area.matches(':focus')) {
      const start = moved(selectionStart, delta, 'right')
      const end = selectionStart === selectionEnd ? start : moved(selectionEnd, delta, 'left')
      area.setSelectionRange(start, Math.max(start, end), selectionDirection)
    }
    area.scrollTop = scrollTop
  }
  // An input method holds a word that is not finished: its text must stay as it is until then.
  const onCompositionStart = () => {
    composing = true
  }
  const onCompositionEnd = () => {
    composing = false
    show([])
  }
  area.value = shown
  area.addEventListener('input', onInput)
  area.addEventListener('compositionstart', onCompositionStart)
  area.addEventListener('compositionend', onCompositionEnd)
  text.observe(onChange)
  return () => {
    area.removeEventListener('input', onInput)
    area.removeEventListener('compositionstart', onCompositionStart)
    area.removeEventListener('compositionend', onCompositionEnd)
    text.unobserve(onChange)
  }
}
