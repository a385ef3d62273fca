// Keys and values as people read them: text where they are text, hex where not, or nothing at all when they are to be
// kept private (cli.md: inspect, --format). Used by the inspect commands. Output is always safe to show.

import { isZero, toHex } from "../../bytes.ts";
import { escapeBytes } from "../surface/escape.ts";

export type ByteFormat = "auto" | "hex" | "text" | "redacted";

/** The format that `--format` names; auto when it is absent. */
export function byteFormat(name: string | null): ByteFormat {
  return name === "hex" || name === "text" || name === "redacted" ? name : "auto";
}

/** A key: never redacted, as it is what a finding is about. */
export function showKey(key: Uint8Array, format: ByteFormat): string {
  return showBytes(key, format === "redacted" ? "auto" : format);
}

/** A value, `(16 bytes)` when redacted. */
export function showValue(value: Uint8Array, format: ByteFormat): string {
  return format === "redacted" ? `(${value.length} bytes)` : showBytes(value, format);
}

function showBytes(bytes: Uint8Array, format: "auto" | "hex" | "text"): string {
  const text = withoutZeros(bytes);
  const isText = format === "text" || (text.length > 0 && isPrintable(text));
  if (format === "hex" || !isText) return `0x${toHex(bytes)}`;
  return `"${escapeBytes(text)}"`;
}

/** Without the zeros that pad text in a field of fixed length. */
function withoutZeros(bytes: Uint8Array): Uint8Array {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  return bytes.subarray(0, end);
}

function isPrintable(bytes: Uint8Array): boolean {
  return escapeBytes(bytes) === Buffer.from(bytes).toString("utf8");
}

const DUMP_BYTES_WIDE = 32;
const DUMP_BYTES_NARROW = 16;

/** Lines of `offset  hex  |text|`; runs of equal lines become `*`, as hexdump does. */
export function hexDump(bytes: Uint8Array, start: number, columns: number): string[] {
  const perLine = columns >= 130 ? DUMP_BYTES_WIDE : DUMP_BYTES_NARROW;
  const digits = Math.max(4, (start + bytes.length).toString(16).length);
  const lines: string[] = [];
  let previous = "";
  for (let at = 0; at < bytes.length; at += perLine) {
    const part = bytes.subarray(at, at + perLine);
    const shown = `${hexColumns(part, perLine)}  |${asciiOf(part)}|`;
    const isLast = at + perLine >= bytes.length;
    if (shown === previous && !isLast) {
      if (lines.at(-1) !== "*") lines.push("*");
      continue;
    }
    previous = shown;
    lines.push(`${(start + at).toString(16).padStart(digits, "0")}  ${shown}`);
  }
  return lines;
}

function hexColumns(part: Uint8Array, perLine: number): string {
  const groups: string[] = [];
  for (let at = 0; at < perLine; at += 4) {
    groups.push(toHex(part.subarray(at, at + 4)).padEnd(8));
  }
  return groups.join(" ");
}

function asciiOf(part: Uint8Array): string {
  return [...part]
    .map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "."))
    .join("");
}

/** Raw bytes of a field: all of them when few, else the first ones and the count. */
export function showRaw(bytes: Uint8Array): string {
  if (bytes.length > 8 && isZero(bytes)) return `00 x ${bytes.length}`;
  if (bytes.length <= 8) return toHex(bytes);
  return `${toHex(bytes.subarray(0, 8))}… (${bytes.length})`;
}
