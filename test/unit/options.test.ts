import { describe, expect, it } from 'vitest'
import { nearNames } from '../../server/nearNames.ts'
import { commandFrom, helpText, optionsTable, parseOptions, type ServerOptions } from '../../server/options.ts'
import { served } from './parsedOptions.ts'
import { refusal } from './refusal.ts'

describe('options of createServer', () => {
  it('fills in every default', () => {
    expect(parseOptions()).toEqual(parseOptions({}))
    expect(parseOptions({})).toMatchObject({
      port: 1234,
      host: '127.0.0.1',
      data: './tutti-data',
      demo: false,
      logLevel: 'info',
      maxMessageBytes: 2 * 1024 * 1024,
      payloadFactor: 4,
    })
  })

  it('keeps what is given and treats undefined as not given', () => {
    const options: ServerOptions = { port: 0, data: 'memory', demo: true, host: undefined }
    expect(parseOptions(options)).toMatchObject({ port: 0, data: 'memory', demo: true, host: '127.0.0.1' })
  })

  it.each([
    [{ port: 70_000 }, 'Option port is 70000; expected a whole number from 0 to 65535.'],
    [{ port: '1234' }, 'Option port is "1234"; expected a whole number from 0 to 65535.'],
    [{ port: 1.5 }, 'Option port is 1.5; expected a whole number from 0 to 65535.'],
    [{ port: Number.NaN }, 'Option port is NaN; expected a whole number from 0 to 65535.'],
    [{ port: null }, 'Option port is null; expected a whole number from 0 to 65535.'],
    [{ host: '' }, 'Option host is ""; expected an address or host name.'],
    [{ data: 3 }, 'Option data is 3; expected a folder, or the word "memory".'],
    [{ demo: 'yes' }, 'Option demo is "yes"; expected true or false.'],
    [{ logLevel: 'loud' }, 'Option logLevel is "loud"; expected one of silent, error, warn, info, debug.'],
    [{ maxMessageBytes: [] }, 'Option maxMessageBytes is an array; expected a whole number from 1024 to 268435456.'],
    ['port=1', 'The options are "port=1"; expected an object.'],
    [null, 'The options are null; expected an object.'],
  ])('refuses %j and says what was expected', (input, message) => {
    const error = refusal(() => parseOptions(input))
    expect(error.code).toBe('INVALID_OPTION')
    expect(error.message).toBe(message)
    expect(error.hint).not.toBe('')
  })

  it('refuses an unknown option with near names', () => {
    expect(refusal(() => parseOptions({ prot: 1 })).message).toBe('There is no option "prot". Did you mean port?')
    expect(refusal(() => parseOptions({ maxMessageSize: 1 })).message).toContain('maxMessageBytes')
    expect(refusal(() => parseOptions({ zebra: 1 })).message).toBe('There is no option "zebra".')
    expect(refusal(() => parseOptions(JSON.parse('{"__proto__": 1}'))).message).toContain('"__proto__"')
  })
})

describe('command line', () => {
  it('serves with defaults, with or without the word serve', () => {
    expect(served([])).toEqual(parseOptions({}))
    expect(served(['serve'])).toEqual(parseOptions({}))
  })

  it('reads flags', () => {
    expect(
      served(['serve', '--port', '0', '--host=0.0.0.0', '--data', 'memory', '--demo', '--max-body-bytes=4096']),
    ).toEqual(parseOptions({ port: 0, host: '0.0.0.0', data: 'memory', demo: true, maxBodyBytes: 4096 }))
  })

  it('reads the environment, under the flags', () => {
    const env = { PORT: '8080', HOST: '::', TUTTI_DATA: '/srv/rooms', TUTTI_LOG: 'debug', OTHER: 'x' }
    expect(served([], env)).toMatchObject({ port: 8080, host: '::', data: '/srv/rooms', logLevel: 'debug' })
    expect(served(['--port', '9090'], env)).toMatchObject({ port: 9090, host: '::' })
  })

  it('takes an empty variable as not set, and the last of equal flags', () => {
    expect(served([], { PORT: '', HOST: undefined })).toEqual(parseOptions({}))
    expect(served(['--port', '1', '--port', '2'])).toMatchObject({ port: 2 })
  })

  it('knows help and version, also beside other flags', () => {
    expect(commandFrom(['--help'], {})).toEqual({ name: 'help' })
    expect(commandFrom(['-h'], {})).toEqual({ name: 'help' })
    expect(commandFrom(['--port', '1', '--version'], {})).toEqual({ name: 'version' })
    expect(commandFrom(['-v'], {})).toEqual({ name: 'version' })
  })

  it.each([
    [['--port', 'http'], {}, '--port is "http"; expected a whole number from 0 to 65535.'],
    [['--port', '-1'], {}, '--port is "-1"; expected a whole number from 0 to 65535.'],
    [['--port', '0x10'], {}, '--port is "0x10"; expected a whole number from 0 to 65535.'],
    [['--port='], {}, '--port is ""; expected a whole number from 0 to 65535.'],
    [['--port'], {}, '--port has no value; expected a whole number from 0 to 65535.'],
    [['--data', '--demo'], {}, '--data has no value; expected a folder, or the word "memory".'],
    [['--demo=maybe'], {}, '--demo is "maybe"; expected true or false.'],
    [['--prot', '1'], {}, 'There is no option --prot. Did you mean --port?'],
    [['--max-message-size', '1'], {}, 'There is no option --max-message-size. Did you mean --max-message-bytes?'],
    [['-p', '1'], {}, 'There is no option -p.'],
    [['--__proto__'], {}, 'There is no option --__proto__.'],
    [['sreve'], {}, 'There is no command "sreve"; expected tutti [serve].'],
    [['serve', 'serve'], {}, 'There is no command "serve"; expected tutti [serve].'],
    [
      [],
      { PORT: 'tcp://10.0.0.1:1234' },
      'PORT (environment) is "tcp://10.0.0.1:1234"; expected a whole number from 0 to 65535.',
    ],
  ])('refuses %j with environment %j', (argv, env, message) => {
    const error = refusal(() => commandFrom(argv, env))
    expect(error.code).toBe('INVALID_OPTION')
    expect(error.message).toBe(message)
    expect(error.hint).not.toBe('')
  })

  it('names every option in the help and in the table, and nothing else', () => {
    const names = Object.keys(parseOptions({}))
    const helpFlags = [...helpText().matchAll(/^ {2}--([a-z-]+)/gm)].map(([, name]) => name)
    // Apps are one option and three flags.
    expect(helpFlags).toHaveLength(names.length + 2)
    const rows = optionsTable().split('\n').slice(2)
    const named = rows.map((row) => /^\| `(\w+)` \|/.exec(row)?.[1])
    expect(named.slice(0, -2)).toEqual(names)
    expect(named.slice(-2)).toEqual([undefined, undefined])
    for (const line of helpText().split('\n')) expect(line.length).toBeLessThan(170)
  })
})

describe('near names', () => {
  it('orders by distance and leaves out what is far', () => {
    expect(nearNames('hots', ['port', 'ghosts', 'host', 'data'])).toEqual(['host', 'ghosts'])
    expect(nearNames('', ['host'])).toEqual([])
    expect(nearNames('x'.repeat(100_000), ['host'])).toEqual([])
  })
})
