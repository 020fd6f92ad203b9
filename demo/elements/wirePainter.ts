import type { Side } from '../schema.ts'
import type { FrameKind } from '../traffic.ts'

/** `cut` by the person at the desk, `lost` because no server answers, `denied` for good. */
export type Link = 'up' | 'cut' | 'lost' | 'denied'

export interface Scene {
  readonly links: Readonly<Record<Side, Link>>
  /** Changes that wait before the gap. */
  readonly waiting: Readonly<Record<Side, number>>
  readonly server: 'there' | 'gone'
}

/** Something that passes: on a desk's wire, or on the line from the back end (`push`). `out` is towards the server. */
export interface Passing {
  readonly side: Side | 'push'
  readonly lane: 'out' | 'in'
  readonly kind: FrameKind | 'push'
  readonly bytes: number
}

interface Dot extends Passing {
  readonly start: number
  readonly label: string
  /** Place on the wire for those who don't want motion, 0 to 1. */
  readonly still: number
}

type Colours = Readonly<Record<FrameKind | 'push' | 'ink' | 'rule' | 'soft' | 'sheet', string>>

const TRAVEL = 620
const STILL = 1100
/** Labels of one lane closer in time than this (ms) would lie over each other. */
const LABEL_SPACE = 240
const MOST_DOTS = 240
const RADIUS = 24
const LANE = 5

/** Draws the wire. Runs only while something moves; everything it shows comes from `show` and `add`. */
export class WirePainter {
  readonly #canvas: HTMLCanvasElement
  readonly #middle: () => number
  readonly #size: ResizeObserver
  readonly #scheme = matchMedia('(prefers-color-scheme: dark)')
  readonly #calm = matchMedia('(prefers-reduced-motion: reduce)')
  readonly #lastLabel = new Map<string, number>()
  /** When the last dot towards the server arrives there, by side and kind. */
  readonly #arrivals = new Map<string, number>()
  #scene: Scene = { links: { a: 'lost', b: 'lost' }, waiting: { a: 0, b: 0 }, server: 'there' }
  #dots: Dot[] = []
  #frame = 0
  #colours: Colours | undefined

  constructor(canvas: HTMLCanvasElement, middle: () => number) {
    this.#canvas = canvas
    this.#middle = middle
    this.#size = new ResizeObserver(() => this.#wake())
    this.#size.observe(canvas)
    this.#scheme.addEventListener('change', this.#recolour)
    addEventListener('themechange', this.#recolour)
  }

  stop(): void {
    cancelAnimationFrame(this.#frame)
    this.#size.disconnect()
    this.#scheme.removeEventListener('change', this.#recolour)
    removeEventListener('themechange', this.#recolour)
  }

  show(scene: Scene): void {
    this.#scene = scene
    this.#wake()
  }

  /**
   * Shows something that has just passed. Dots travel far slower than frames do, so one that follows from another
   * starts when that one has arrived: an acknowledgement after its update, the other desk's copy after the server has it.
   */
  add(passing: Passing): void {
    const now = performance.now()
    const life = this.#life()
    const start = Math.min(
      now + life,
      Math.max(now, ...causesOf(passing).map((cause) => this.#arrivals.get(cause) ?? 0)),
    )
    if (passing.lane === 'out') this.#arrivals.set(`${passing.side} ${passing.kind}`, now + life)
    const lane = passing.side + passing.lane
    const labelled = start - (this.#lastLabel.get(lane) ?? Number.NEGATIVE_INFINITY) > LABEL_SPACE
    if (labelled && passing.bytes > 0) this.#lastLabel.set(lane, start)
    const still = ((this.#dots.length * 0.381966) % 1) * 0.7 + 0.15
    this.#dots.push({
      ...passing,
      start,
      label: labelled && passing.bytes > 0 ? String(passing.bytes) : '',
      still,
    })
    if (this.#dots.length > MOST_DOTS) this.#dots.shift()
    this.#wake()
  }

  #life(): number {
    return this.#calm.matches ? STILL : TRAVEL
  }

  #recolour = (): void => {
    this.#colours = undefined
    this.#wake()
  }

  #wake(): void {
    if (this.#frame !== 0) return
    this.#frame = requestAnimationFrame((now) => {
      this.#frame = 0
      this.#paint(now)
      if (this.#dots.length > 0) this.#wake()
    })
  }

  /** Custom properties with light-dark() become colours only as the colour of an element. */
  #palette(): Colours {
    if (this.#colours !== undefined) return this.#colours
    const probe = document.createElement('span')
    this.#canvas.parentElement!.append(probe)
    const style = getComputedStyle(probe)
    const read = (name: string): string => {
      probe.style.color = `var(--${name})`
      return style.color
    }
    this.#colours = {
      document: read('wire-document'),
      presence: read('wire-presence'),
      event: read('wire-event'),
      ack: read('wire-ack'),
      control: read('ink-soft'),
      push: read('accent'),
      ink: read('ink'),
      rule: read('rule-strong'),
      soft: read('rule'),
      sheet: read('paper'),
    }
    probe.remove()
    return this.#colours
  }

  #paint(now: number): void {
    const { clientWidth: width, clientHeight: height } = this.#canvas
    const ratio = devicePixelRatio
    if (this.#canvas.width !== Math.round(width * ratio) || this.#canvas.height !== Math.round(height * ratio)) {
      this.#canvas.width = Math.round(width * ratio)
      this.#canvas.height = Math.round(height * ratio)
    }
    const context = this.#canvas.getContext('2d')
    if (context === null || width === 0) return
    const colours = this.#palette()
    context.setTransform(ratio, 0, 0, ratio, 0, 0)
    context.clearRect(0, 0, width, height)
    const middle = this.#middle()
    const radius = height < 200 ? 16 : RADIUS
    const life = this.#life()
    this.#dots = this.#dots.filter((dot) => now - dot.start < life)

    this.#paintLine(context, width / 2, 0, width / 2, middle - radius, colours.rule, [])
    for (const side of ['a', 'b'] as const) this.#paintLink(context, side, width, middle, radius, colours)
    this.#paintServer(context, width / 2, middle, radius, colours)
    context.font = `500 10px ${getComputedStyle(this.#canvas).getPropertyValue('--mono')}`
    context.textAlign = 'center'
    for (const dot of this.#dots) this.#paintDot(context, dot, now, life, width, middle, radius, colours)
  }

  #paintLine(
    context: CanvasRenderingContext2D,
    x1: number,
    y1: number,
    x2: number,
    y2: number,
    colour: string,
    dash: number[],
  ) {
    context.strokeStyle = colour
    context.lineWidth = 1
    context.setLineDash(dash)
    context.beginPath()
    context.moveTo(crisp(x1), crisp(y1))
    context.lineTo(crisp(x2), crisp(y2))
    context.stroke()
    context.setLineDash([])
  }

  #paintLink(
    context: CanvasRenderingContext2D,
    side: Side,
    width: number,
    middle: number,
    radius: number,
    colours: Colours,
  ) {
    const link = this.#scene.links[side]
    // From the desk's edge (0) to the server's edge (1).
    const along = (part: number): number => {
      const x = part * (width / 2 - radius)
      return side === 'a' ? x : width - x
    }
    for (const y of [middle - LANE, middle + LANE]) {
      if (link === 'up') this.#paintLine(context, along(0), y, along(1), y, colours.rule, [])
      else if (link === 'lost') this.#paintLine(context, along(0), y, along(1), y, colours.rule, [2, 5])
      else {
        this.#paintLine(context, along(0), y, along(0.56), y, colours.rule, [])
        this.#paintLine(context, along(0.8), y, along(1), y, colours.soft, [])
      }
    }
    // The plug at the desk.
    context.fillStyle = colours.ink
    context.fillRect(side === 'a' ? 0 : width - 3, middle - 11, 3, 22)
    if (link === 'cut' || link === 'denied') {
      context.strokeStyle = colours.ink
      context.lineWidth = 2
      for (const part of [0.56, 0.8]) {
        context.beginPath()
        context.moveTo(along(part), middle - 12)
        context.lineTo(along(part), middle + 12)
        context.stroke()
      }
    }
    if (link !== 'up') this.#paintWaiting(context, this.#scene.waiting[side], along, middle, colours)
  }

  /** Changes that wait, in rows of dots from the gap back to the desk. */
  #paintWaiting(
    context: CanvasRenderingContext2D,
    count: number,
    along: (part: number) => number,
    middle: number,
    colours: Colours,
  ) {
    const length = Math.abs(along(0.56) - along(0)) - 10
    const perRow = Math.max(1, Math.floor(length / 9))
    const direction = Math.sign(along(0) - along(1))
    context.fillStyle = colours.document
    for (let at = 0; at < Math.min(count, perRow * 4); at += 1) {
      const x = along(0.56) + direction * (9 + (at % perRow) * 9)
      const y = middle - LANE - Math.floor(at / perRow) * 9
      context.beginPath()
      context.arc(x, y, 3.25, 0, 2 * Math.PI)
      context.fill()
    }
  }

  #paintServer(context: CanvasRenderingContext2D, x: number, y: number, radius: number, colours: Colours) {
    const gone = this.#scene.server === 'gone'
    context.beginPath()
    context.arc(x, y, radius - 1, 0, 2 * Math.PI)
    context.fillStyle = gone ? colours.sheet : colours.ink
    context.fill()
    context.strokeStyle = colours.ink
    context.lineWidth = 1.5
    context.setLineDash(gone ? [4, 4] : [])
    context.stroke()
    context.setLineDash([])
    if (gone) return
    // Two platters: what is acknowledged lies on a disk.
    context.strokeStyle = colours.sheet
    context.lineWidth = 1.25
    const w = radius * 0.44
    for (const dy of [-radius * 0.28, radius * 0.02, radius * 0.32]) {
      context.beginPath()
      context.ellipse(x, y + dy, w, w * 0.36, 0, dy < 0 ? 0 : 0, dy < 0 ? 2 * Math.PI : Math.PI)
      context.stroke()
    }
    context.beginPath()
    for (const dx of [-w, w]) {
      context.moveTo(x + dx, y - radius * 0.28)
      context.lineTo(x + dx, y + radius * 0.32)
    }
    context.stroke()
  }

  #paintDot(
    context: CanvasRenderingContext2D,
    dot: Dot,
    now: number,
    life: number,
    width: number,
    middle: number,
    radius: number,
    colours: Colours,
  ) {
    const age = (now - dot.start) / life
    if (age < 0) return
    const way = this.#calm.matches ? dot.still : ease(age)
    const part = dot.lane === 'out' ? way : 1 - way
    context.globalAlpha = Math.min(1, age * 8, (1 - age) * 6)
    const place = this.#place(dot, part, width, middle, radius)
    context.fillStyle = colours[dot.kind]
    context.strokeStyle = colours[dot.kind]
    // Between the lanes, where no dot covers it.
    if (dot.kind === 'ack')
      paintTick(context, place.x + (dot.side === 'push' ? 12 : 0), dot.side === 'push' ? place.y : middle)
    else {
      context.beginPath()
      context.arc(place.x, place.y, dotRadius(dot.bytes), 0, 2 * Math.PI)
      context.fill()
      if (dot.label !== '' && dot.kind !== 'control') {
        if (dot.side === 'push') {
          context.textAlign = 'start'
          context.fillText(`PATCH ${dot.label} B`, place.x + 12, place.y + 3)
          context.textAlign = 'center'
        } else context.fillText(dot.label, place.x, dot.lane === 'out' ? place.y - 12 : place.y + 18)
      }
    }
    context.globalAlpha = 1
  }

  #place({ side, lane }: Dot, part: number, width: number, middle: number, radius: number): { x: number; y: number } {
    if (side === 'push') return { x: width / 2, y: part * (middle - radius) }
    const x = part * (width / 2 - radius)
    return { x: side === 'a' ? x : width - x, y: lane === 'out' ? middle - LANE : middle + LANE }
  }
}

/** What a dot towards a desk may follow from. */
const causesOf = ({ side, lane, kind }: Passing): string[] => {
  if (lane === 'out') return []
  if (kind === 'ack') return side === 'push' ? ['push push'] : [`${side} document`]
  if (kind === 'document') return ['push push', side === 'a' ? 'b document' : 'a document', `${side} document`]
  const desks = [`a ${kind}`, `b ${kind}`]
  return kind === 'event' ? ['push push', ...desks] : desks
}

const crisp = (value: number): number => Math.round(value) + 0.5

const ease = (age: number): number => (age < 0.5 ? 2 * age * age : 1 - (2 - 2 * age) ** 2 / 2)

/** The area of a dot grows with the logarithm of its bytes: 3 B is a speck, a letter of 10 kB does not fill the wire. */
const dotRadius = (bytes: number): number => Math.min(9, 1.5 + Math.log2(1 + bytes) * 0.45)

const paintTick = (context: CanvasRenderingContext2D, x: number, y: number): void => {
  context.lineWidth = 1.75
  context.beginPath()
  context.moveTo(x - 4, y)
  context.lineTo(x - 1, y + 3.5)
  context.lineTo(x + 5, y - 4)
  context.stroke()
}
