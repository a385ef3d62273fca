// The kinds of option values (cli.md, opening lines): text in, checked value out. Pure. A refusal says what was given
// and what is accepted; where it was given (flag, variable, file) is added by the caller.

import { unreachable } from "../../errors.ts";
import type { OptionSpec } from "./spec.ts";
import { nearest } from "./nearest.ts";

export interface SlotRange {
  readonly first: number;
  readonly last: number;
}

/** What an option holds. `off` is a number kind that was switched off. */
export type OptionValue =
  | { readonly kind: "flag"; readonly on: boolean }
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "number"; readonly number: number }
  | { readonly kind: "range"; readonly range: SlotRange }
  | { readonly kind: "off" };

/** A value, or what would have been accepted. */
export type ParsedValue =
  | { readonly ok: true; readonly value: OptionValue }
  | { readonly ok: false; readonly accepted: string; readonly suggestion?: string };

/** Longest duration: timers of the runtime take 31 bits of ms, and fire at once beyond. */
const DURATION_DAYS_MAX = 24;
const DAY_MS = 86_400_000;

const BYTES_OF_UNIT: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

const MS_OF_UNIT: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1e3,
  m: 60e3,
  h: 3600e3,
  d: DAY_MS,
};

/** Checks one value of an option, as written. */
export function parseValue(option: OptionSpec, text: string): ParsedValue {
  const value = parseKind(option, text);
  if (value !== null) return { ok: true, value };
  const suggestion = option.choices === undefined ? null : nearest(text, option.choices);
  const refusal = { ok: false, accepted: acceptedBy(option) } as const;
  return suggestion === null ? refusal : { ...refusal, suggestion };
}

function parseKind(option: OptionSpec, text: string): OptionValue | null {
  if (text === "off" && allowsOff(option)) return { kind: "off" };
  switch (option.kind) {
    case "flag":
      return parseFlag(text);
    case "text":
      return text === "" ? null : { kind: "text", text };
    case "choice":
      return option.choices?.includes(text) === true ? { kind: "text", text } : null;
    case "integer":
      return numberOrNull(parseInteger(text));
    case "size":
      return numberOrNull(parseSize(text));
    case "rate":
      return numberOrNull(parseRate(text));
    case "duration":
      return numberOrNull(parseDuration(text));
    case "range":
      return parseRange(text);
    default:
      return unreachable(option.kind);
  }
}

function allowsOff(option: OptionSpec): boolean {
  if (option.kind === "rate") return true;
  return option.offAllowed === true && option.kind !== "flag" && option.kind !== "choice";
}

/** In words: what the option takes. */
export function acceptedBy(option: OptionSpec): string {
  const off = allowsOff(option) ? ", or off" : "";
  switch (option.kind) {
    case "flag":
      return "true or false";
    case "text":
      return `a ${option.value ?? "text"}`;
    case "choice":
      return `one of ${option.choices?.join(", ") ?? ""}`;
    case "integer":
      return `a whole number such as 64${off}`;
    case "size":
      return `a size such as 64KiB or 10MB${off}`;
    case "rate":
      return `bytes a second such as 10MiB${off}`;
    case "duration":
      return `a time such as 500ms, 5s, 10m, 1h (at most ${DURATION_DAYS_MAX}d)${off}`;
    case "range":
      return "a range of slots such as 0..999";
    default:
      return unreachable(option.kind);
  }
}

function numberOrNull(number: number | null): OptionValue | null {
  return number === null ? null : { kind: "number", number };
}

function parseFlag(text: string): OptionValue | null {
  if (["true", "yes", "on", "1"].includes(text)) return { kind: "flag", on: true };
  if (["false", "no", "off", "0"].includes(text)) return { kind: "flag", on: false };
  return null;
}

/** A whole number from 0 to 2^53 - 1, decimal digits only. */
function parseInteger(text: string): number | null {
  if (!/^\d{1,16}$/.test(text)) return null;
  const number = Number(text);
  return Number.isSafeInteger(number) ? number : null;
}

/** Bytes of `512`, `64KiB`, `1.5GB`; 1 kB is 1000 bytes, 1 KiB is 1024. */
export function parseSize(text: string): number | null {
  const match = /^(\d{1,16}(?:\.\d{1,6})?) ?([a-z]{0,3})$/i.exec(text);
  const unit = BYTES_OF_UNIT[match?.[2]?.toLowerCase() ?? "?"];
  if (match === null || unit === undefined) return null;
  const bytes = Math.round(Number(match[1]) * unit);
  return Number.isSafeInteger(bytes) ? bytes : null;
}

/** Bytes a second: a size above 0, with or without `/s`. */
function parseRate(text: string): number | null {
  const bytes = parseSize(text.replace(/\/s$/i, ""));
  return bytes === 0 ? null : bytes;
}

/** Milliseconds of `500ms`, `1.5s`, `10m`, `1h`, `2d`; a bare 0 needs no unit. */
export function parseDuration(text: string): number | null {
  if (text === "0") return 0;
  const match = /^(\d{1,12}(?:\.\d{1,6})?)(ms|s|m|h|d)$/.exec(text);
  const unit = MS_OF_UNIT[match?.[2] ?? "?"];
  if (match === null || unit === undefined) return null;
  const durationMs = Math.round(Number(match[1]) * unit);
  return durationMs <= DURATION_DAYS_MAX * DAY_MS ? durationMs : null;
}

/** `A..B`, both ends included; one number is the range of itself. */
function parseRange(text: string): OptionValue | null {
  const match = /^(\d+)(?:\.\.(\d+))?$/.exec(text);
  if (match === null) return null;
  const first = parseInteger(match[1] ?? "");
  const last = parseInteger(match[2] ?? match[1] ?? "");
  if (first === null || last === null || first > last) return null;
  return { kind: "range", range: { first, last } };
}
