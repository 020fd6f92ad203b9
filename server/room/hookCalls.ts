/** Calls the application's hooks: with a time limit, so that what one throws harms nothing but what it was about. */
import { isErrorCode, meaningOf, TuttiError } from '../../lib/errors.ts'
import type { Logger } from '../contracts.ts'
import { HOOKS, type HookName, type Hooks } from '../hooks.ts'
import { nearNames } from '../nearNames.ts'

/** Mistakes that are reported: a hook might make up its codes. */
const MAX_MISTAKES = 100

export interface HookCallsParts {
  readonly hooks: Hooks
  readonly timeoutSeconds: number
  readonly log: Logger
}

export const isThenable = (value: unknown): value is PromiseLike<unknown> =>
  typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function'

/**
 * Checks what was given as `hooks`.
 * @throws TuttiError `INVALID_OPTION`
 */
export const checkHooks = (hooks: Hooks): void => {
  if (typeof hooks !== 'object' || hooks === null || Array.isArray(hooks)) {
    throw new TuttiError(
      'INVALID_OPTION',
      `Option hooks is ${Array.isArray(hooks) ? 'an array' : String(hooks)}; expected an object.`,
      {
        path: ['hooks'],
        hint: 'Give functions by their names: { connect: ({ caller }) => … }.',
      },
    )
  }
  const names = Object.keys(HOOKS)
  for (const [name, hook] of Object.entries(hooks)) {
    if (!Object.hasOwn(HOOKS, name)) {
      const near = nearNames(name, names)
      const meant = near.length === 0 ? '' : ` Did you mean ${near.join(' or ')}?`
      throw new TuttiError('INVALID_OPTION', `There is no hook ${JSON.stringify(name)}.${meant}`, {
        path: ['hooks', name],
        hint: `The hooks are: ${names.join(', ')}.`,
      })
    }
    if (hook === undefined || typeof hook === 'function') continue
    throw new TuttiError('INVALID_OPTION', `The hook ${name} is of type ${typeof hook}; expected a function.`, {
      path: ['hooks', name],
      hint: 'Give a function of one argument, or leave it out.',
    })
  }
}

/** Resolves when a promise is settled; whoever waits for the promise itself hears how. */
const settled = (promise: Promise<unknown>): Promise<void> =>
  promise.then(
    () => undefined,
    () => undefined,
  )

const refusedBy = (name: HookName, cause?: unknown): TuttiError =>
  new TuttiError('FORBIDDEN', `The hook ${name} refused this.`, {
    hint: 'Ask whoever runs the server; a TuttiError that the hook throws tells why.',
    cause,
  })

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')

/**
 * Whether an error can be told as it is: every code that means something to the other side has an HTTP status. A hook in
 * JavaScript may have made it of anything.
 */
const isTellable = ({ code, message, hint }: TuttiError): boolean =>
  isErrorCode(code) && meaningOf(code).status !== undefined && typeof message === 'string' && typeof hint === 'string'

/** The error that stands for one that can't be told as it is: it says as much, and whether to try again. */
const tellable = (name: HookName, error: TuttiError): TuttiError =>
  new TuttiError(
    isErrorCode(error.code) && meaningOf(error.code).retryable ? 'TRY_LATER' : 'FORBIDDEN',
    textOf(error.message) || refusedBy(name).message,
    { hint: textOf(error.hint), cause: error },
  )

const accepted = <R>(name: HookName, answer: R): Exclude<R, false> => {
  if (answer === false) throw refusedBy(name)
  return answer as Exclude<R, false>
}

export class HookCalls {
  readonly hooks: Hooks
  readonly #timeoutSeconds: number
  readonly #log: Logger
  readonly #running = new Set<Promise<unknown>>()
  #isStopping = false
  /** What was reported of hooks that throw errors with codes of their own. */
  readonly #mistakes = new Set<string>()

  constructor({ hooks, timeoutSeconds, log }: HookCallsParts) {
    this.hooks = hooks
    this.#timeoutSeconds = timeoutSeconds
    this.#log = log
  }

  /**
   * Calls a hook that may refuse, by an error or by `false`. What it returns at once is returned at once.
   * @throws TuttiError, or rejects with one
   */
  ask<R>(name: HookName, call: () => R | PromiseLike<R>): Exclude<R, false> | Promise<Exclude<R, false>> {
    let answer: R | PromiseLike<R>
    let isLater: boolean
    try {
      answer = call()
      isLater = isThenable(answer)
    } catch (error) {
      throw this.#refusal(name, error)
    }
    if (!isLater) return accepted(name, answer as R)
    const refusal = (error: unknown): TuttiError => this.#refusal(name, error)
    return this.#inTime(name, answer as PromiseLike<R>, refusal).then((value) => accepted(name, value))
  }

  /** Asks a hook whether something may be done: when the promise resolves, or at once. Throws or rejects if not. */
  permit(name: HookName, call: () => unknown): Promise<void> | undefined {
    const answer = this.ask(name, call)
    return answer instanceof Promise ? answer.then(() => undefined) : undefined
  }

  /** Calls a hook that is only told. Resolves when it is done, or out of time; `undefined`: it is done. */
  tell(name: HookName, call: () => unknown): Promise<void> | undefined {
    const failed = (error: unknown): unknown => {
      this.#log.warn({ hook: name, err: error }, 'hook failed')
      return error
    }
    try {
      const answer = call()
      return isThenable(answer) ? settled(this.#inTime(name, answer, failed)) : undefined
    } catch (error) {
      failed(error)
      return undefined
    }
  }

  /** Counts something as under way until it is settled. */
  track(promise: Promise<unknown>): void {
    this.#running.add(promise)
    settled(promise).then(() => this.#running.delete(promise))
  }

  /** The server is stopping: what back ends want is not asked about any more. */
  get isStopping(): boolean {
    return this.#isStopping
  }

  stop(): Promise<void> {
    this.#isStopping = true
    return this.settle()
  }

  /** Resolves when nothing is under way any more, also what follows from it. */
  async settle(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running)
  }

  #inTime<R>(name: HookName, answer: PromiseLike<R>, failed: (error: unknown) => unknown): Promise<R> {
    const seconds = this.#timeoutSeconds
    const outcome = new Promise<R>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#log.warn({ hook: name, seconds }, 'hook out of time')
        reject(
          new TuttiError('TRY_LATER', `The hook ${name} gave no answer within ${seconds} s.`, {
            hint: 'Try again in a moment. On the server: make the hook faster, or raise hookTimeoutSeconds.',
          }),
        )
      }, seconds * 1000)
      // Not `answer.then`: one that is no Promise of the language may throw.
      Promise.resolve(answer).then(
        (value) => {
          clearTimeout(timer)
          resolve(value)
        },
        (error: unknown) => {
          clearTimeout(timer)
          reject(failed(error))
        },
      )
    })
    this.track(outcome)
    return outcome
  }

  /** What an action is refused with by an error. Only an error that is meant for the other side tells it more than that. */
  #refusal(name: HookName, error: unknown): TuttiError {
    if (!(error instanceof TuttiError)) {
      this.#log.warn({ hook: name, err: error }, 'hook failed')
      return refusedBy(name, error)
    }
    if (isTellable(error)) return error
    this.#reportMistake(name, error)
    return tellable(name, error)
  }

  /** Once for each code: it is a mistake in the hook, not of those whom it refuses. */
  #reportMistake(name: HookName, error: TuttiError): void {
    const mistake = `${name}: ${textOf(error.code)}`
    if (this.#mistakes.has(mistake) || this.#mistakes.size >= MAX_MISTAKES) return
    this.#mistakes.add(mistake)
    this.#log.warn(
      { hook: name, code: error.code, err: error },
      'hook threw an error whose code means nothing to the other side',
    )
  }
}
