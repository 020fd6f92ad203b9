import { css, html } from 'lit'
import type { Desk } from '../desk.ts'
import { type DeviceBytes, followLampBytes, type UpdateBytes } from '../lampBytes.ts'
import { controls, DemoElement } from './demoElement.ts'

/** What the last change of lamps took: in the document, and on the devices' own socket, each beside the same as JSON. */
export class LampBytesElement extends DemoElement {
  static override properties = {
    desk: { attribute: false },
    updateBytes: { state: true },
    deviceBytes: { state: true },
  }
  static override styles = [
    controls,
    css`
      :host {
        display: block;
      }
      table {
        inline-size: 100%;
        border-collapse: collapse;
        table-layout: fixed;
        font-size: var(--size-s);
        line-height: 24px;
      }
      th {
        font-weight: 400;
        text-align: start;
        color: var(--ink-soft);
        padding: 0;
      }
      thead th:not(:first-child),
      td {
        text-align: end;
      }
      th:first-child {
        inline-size: 42%;
      }
      td {
        font: 400 12px / 24px var(--mono);
        font-variant-numeric: tabular-nums;
        padding: 0;
        white-space: nowrap;
      }
      tbody tr {
        border-block-start: 1px solid var(--rule);
      }
      @container (width < 440px) {
        th:first-child {
          inline-size: 40%;
        }
        th:last-child {
          inline-size: 20%;
        }
      }
    `,
  ]

  declare desk: Desk
  declare updateBytes: UpdateBytes | undefined
  declare deviceBytes: DeviceBytes | undefined
  #end: (() => void) | undefined

  override connectedCallback(): void {
    super.connectedCallback()
    this.#end ??= followLampBytes(this.desk, (news) => Object.assign(this, news))
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback()
    this.#end?.()
    this.#end = undefined
  }

  override render() {
    const { updateBytes: update, deviceBytes: device } = this
    const of = (count: number | undefined): string =>
      count === undefined ? '' : count === 1 ? ', one lamp' : `, ${count} lamps`
    return html`
      <table>
        <thead>
          <tr><th scope="col">Bytes of a change</th><th scope="col">sent</th><th scope="col">as JSON</th></tr>
        </thead>
        <tbody>
          <tr>
            <th scope="row" title="The Yjs update">Document${of(update?.lamps)}</th>
            <td data-bytes="update">${update ? `${update.update} B` : '–'}</td>
            <td data-bytes="update-json">${update ? `${update.json} B` : '–'}</td>
          </tr>
          <tr>
            <th scope="row" title="Binary frames of their own socket">Devices${of(device?.lamps)}</th>
            <td data-bytes="device">${device ? `${device.out} B, ${device.back} back` : '–'}</td>
            <td data-bytes="device-json">${device ? `${device.json} B` : '–'}</td>
          </tr>
        </tbody>
      </table>
    `
  }
}

customElements.define('demo-lamp-bytes', LampBytesElement)
