/** Whether an outline flashes around what rendered; kept by this browser, off under reduced motion until asked for. */
const KEY = 'tutti-demo/flash'
const LENGTH = 400

export const flashes = (): boolean => document.documentElement.dataset.flash === 'on'

export const setFlashes = (on: boolean): void => {
  document.documentElement.dataset.flash = on ? 'on' : 'off'
  localStorage.setItem(KEY, on ? 'on' : 'off')
}

export const restoreFlashes = (): void => {
  const calm = matchMedia('(prefers-reduced-motion: reduce)').matches
  document.documentElement.dataset.flash = localStorage.getItem(KEY) ?? (calm ? 'off' : 'on')
}

/** Counts a render of `host` in `data-renders`, and flashes its outline. */
export const showRender = (host: HTMLElement): void => {
  host.dataset.renders = String(Number(host.dataset.renders ?? 0) + 1)
  if (!flashes()) return
  host.animate([{ outline: '1px solid var(--accent)' }, { outline: '1px solid transparent' }], {
    duration: LENGTH,
    easing: 'ease-in',
  })
}
