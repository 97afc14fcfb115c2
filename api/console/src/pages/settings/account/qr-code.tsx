import { encode } from 'uqr'

const quiet = 4 // modules around a code, as ISO 18004 asks for

// QrCode draws a text as a QR code: black on white in every theme, as scanners expect.
export default function QrCode({ text, label }: { text: string; label: string }) {
  const { data, size } = encode(text, { ecc: 'M', border: quiet })
  return (
    <svg class="qr-code" viewBox={`0 0 ${size} ${size}`} role="img" aria-label={label} shape-rendering="crispEdges">
      <path class="qr-white" d={`M0 0h${size}v${size}H0z`} />
      <path class="qr-black" d={data.map(runsOf).join('')} />
    </svg>
  )
}

// runsOf draws a rectangle for each run of black modules of a row.
function runsOf(row: boolean[], y: number): string {
  let path = ''
  for (let x = 0, from = -1; x <= row.length; x++) {
    if (row[x] && from < 0) from = x
    if (!row[x] && from >= 0) {
      path += `M${from} ${y}h${x - from}v1H${from}z`
      from = -1
    }
  }
  return path
}
