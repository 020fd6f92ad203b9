import { css, LitElement, type PropertyValues } from 'lit'
import { Reactive } from 'tutti/lit'
import { showRender } from '../flash.ts'

/** An element that renders again when something it read has changed. */
export class DemoElement extends Reactive(LitElement) {}

/** One that also counts its renders and shows each: the parts of a desk that read the document or the presence. */
export class CountedElement extends DemoElement {
  protected override updated(changed: PropertyValues): void {
    super.updated(changed)
    showRender(this)
  }
}

/** Buttons, placeholders, the focus and the counter of renders, alike in every element. */
export const controls = css`
  *,
  *::before,
  *::after {
    box-sizing: border-box;
  }
  :host {
    position: relative;
  }
  :host([data-renders])::after {
    content: attr(data-renders) '×';
    display: var(--renders-display, none);
    position: absolute;
    inset-block-end: 1px;
    inset-inline-end: 3px;
    z-index: 1;
    pointer-events: none;
    font: 400 10px / 12px var(--mono);
    color: var(--ink-soft);
  }
  button {
    font: inherit;
    font-size: var(--size-s);
    font-weight: 500;
    line-height: 18px;
    color: var(--ink);
    background: transparent;
    border: 1px solid var(--rule-strong);
    border-radius: var(--radius);
    padding: 4px 10px;
    min-block-size: 28px;
    white-space: nowrap;
    cursor: pointer;
  }
  button:hover:not(:disabled, [aria-disabled='true']) {
    border-color: var(--ink);
  }
  button:active:not(:disabled, [aria-disabled='true']) {
    background: var(--sunken);
  }
  button:disabled,
  /* Under way, but not without the focus. */
  button[aria-disabled='true'] {
    color: var(--ink-soft);
    border-color: var(--rule);
    cursor: default;
  }
  ::placeholder {
    color: var(--ink-soft);
    opacity: 1;
  }
  button.primary {
    color: var(--on-accent);
    background: var(--accent);
    border-color: var(--accent);
  }
  button.primary[aria-disabled='true'] {
    opacity: 0.7;
  }
  button.primary:hover:not(:disabled, [aria-disabled='true']) {
    background: color-mix(in oklch, var(--accent), var(--ink) 14%);
  }
  :focus-visible {
    outline: 2px solid var(--accent);
    outline-offset: 2px;
  }
  .number {
    font-family: var(--mono);
    font-variant-numeric: tabular-nums;
  }
  .visually-hidden {
    position: absolute;
    inline-size: 1px;
    block-size: 1px;
    overflow: hidden;
    clip-path: inset(50%);
    white-space: nowrap;
  }
`

/** What can be done here: in other words for a finger (.touch) than for pointer and keys (.keys). */
export const hints = css`
  .hint {
    margin: 0;
    font-size: 12px;
    color: var(--ink-soft);
  }
  .touch {
    display: none;
  }
  @media (hover: none) {
    .keys {
      display: none;
    }
    .touch {
      display: inline;
    }
  }
`

/** A field for text in a row with buttons. */
export const fields = css`
  input {
    flex: 1;
    min-inline-size: 0;
    font: inherit;
    font-size: var(--size-s);
    color: var(--ink);
    background: transparent;
    border: 1px solid var(--rule-strong);
    border-radius: var(--radius);
    padding: 4px 8px;
  }
`

/** A member's colour from its hue: as ground with --on-member upon it, or as line. */
export const memberColours = css`
  .member {
    --member: light-dark(oklch(0.49 0.115 var(--hue)), oklch(0.79 0.1 var(--hue)));
    --on-member: light-dark(oklch(0.99 0.005 86), oklch(0.2 0.02 66));
  }
`
