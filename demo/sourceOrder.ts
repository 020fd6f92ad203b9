/** As in page.css: the desks stand below each other, and the back end between them. */
const NARROW = '(width < 1080px)'

/**
 * Keeps the back end where it is seen, which the keyboard and screen readers follow: before the room on a wide screen,
 * before the wire on a narrow one. (`reading-flow` does it in CSS, but with
 * Chromium 156 the Tab key went by the source all the same, now and then.)
 */
export const keepSourceOrder = (push: Element, room: Element, wire: Element): void => {
  const narrow = matchMedia(NARROW)
  const arrange = (): void => {
    const next = narrow.matches ? wire : room
    if (push.nextElementSibling !== next) next.before(push)
  }
  narrow.addEventListener('change', arrange)
  arrange()
}
