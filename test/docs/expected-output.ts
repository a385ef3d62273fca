// Holds the output that a document shows against the output that came: numbers, hexadecimal digits and paths may differ, and
// lines may break elsewhere; a line `...` stands for anything. A document shows what a terminal does: no times of lines.

import { withoutTimes } from "../support/line-times.ts";

/** The parts of the shown output that the real one does not have, in words that can be compared. */
export function missingParts(shown: string, real: string, dir: string): readonly string[] {
  const words = comparable(real, dir);
  return shown
    .split(/^\.\.\.$/m)
    .map((part) => comparable(part, dir))
    .filter((part) => part !== "" && !words.includes(part));
}

function comparable(text: string, dir: string): string {
  return withoutTimes(text)
    .replaceAll(`${dir}/root`, "")
    .replaceAll(`${dir}/`, "")
    .replace(/\b(0x)?[0-9a-f]{8,}\b/g, "HEX")
    .replace(/\d{8}T\d+Z/g, "TIME")
    .replace(/\d[\d,.]*%?( ?(ms|s|min|h|d|k|M|G|B|KiB|MiB|GiB)\b)?/g, "N")
    .split(/\s+/)
    .join(" ")
    .trim();
}
