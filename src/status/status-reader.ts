// A status document as it comes from the control socket, checked before it is believed (its sender may be another version, or
// no armdb at all). Pure. Fields that are not known are left out, as readers of JSON schema 1 do.

import { DIFFERENCE_KINDS } from "../audit/compare-kinds.ts";
import { SHARDS_MAX } from "../limits.ts";
import type { CatchUp } from "./catch-up-shown.ts";
import type { FieldKinds, OwedStatus, ScanStatus } from "./field-kinds.ts";
import { fieldsBy } from "./fields.ts";
import {
  type DivergedEntry,
  SHARD_STATES,
  type ShardStatus,
  type SlotWord,
  type StatusDocument,
  type StatusVerdict,
} from "./status-types.ts";

type Fields = Readonly<Record<string, unknown>>;

const TEXT_CHARS_MAX = 2_000;
const DIVERGED_MAX = 1_000;
const VERDICTS: readonly StatusVerdict[] = [
  "live",
  "behind",
  "stalled",
  "diverged",
  "incomplete",
  "stopped",
];

/** Null for what is no status document of schema 1. */
export function readStatusDocument(value: unknown): StatusDocument | null {
  const fields = fieldsOf(value);
  if (fields === null || fields["schema"] !== 1 || fields["command"] !== "status") return null;
  const verdict = VERDICTS.find((word) => word === fields["verdict"]);
  const list = fields["shards"];
  if (verdict === undefined || !Array.isArray(list) || list.length > SHARDS_MAX) return null;
  const shards: ShardStatus[] = [];
  for (const entry of list) {
    const shard = readShard(fieldsOf(entry));
    if (shard === null) return null;
    shards.push(shard);
  }
  const protocol = fields["protocol"];
  return {
    schema: 1,
    command: "status",
    running: fields["running"] === true,
    leader: textOf(fields["leader"]),
    protocol: protocol === 1 || protocol === 2 ? protocol : null,
    verdict,
    complete: flagOf(fields["complete"]),
    connectionsToday: numberOf(fields["connectionsToday"]),
    connectionsPerDay: numberOf(fields["connectionsPerDay"]),
    ready: fields["ready"] === true,
    stopping: fields["stopping"] === true,
    pid: numberOf(fields["pid"]),
    holder: null,
    atMs: numberOf(fields["atMs"]) ?? 0,
    upMs: numberOf(fields["upMs"]),
    scanningShare: numberOf(fields["scanningShare"]),
    catchUp: catchUpOf(fields["catchUp"]),
    savedAtMs: numberOf(fields["savedAtMs"]),
    saveError: textOf(fields["saveError"]),
    connectionsNextAtMs: numberOf(fields["connectionsNextAtMs"]),
    shards,
  };
}

function readShard(fields: Fields | null): ShardStatus | null {
  if (fields === null) return null;
  const shard = numberOf(fields["shard"]);
  const state = SHARD_STATES.find((word) => word === fields["state"]);
  if (shard === null || !Number.isInteger(shard) || shard >= SHARDS_MAX) return null;
  if (state === undefined) return null;
  const read = fieldsBy((name, { kind }) => READERS[kind](fields[name]));
  return { shard, state, ...read, diverged: divergedOf(fields["diverged"]) };
}

/** By kind: the value, or null for what is none. */
const READERS: {
  readonly [Kind in keyof FieldKinds]: (value: unknown) => FieldKinds[Kind] | null;
} = {
  count: numberOf,
  digits: digitsOf,
  text: textOf,
  flag: flagOf,
  stream: (value) => (value === "live" || value === "polling" ? value : null),
  owed: owedOf,
  scan: scanOf,
  catchUp: catchUpOf,
};

function owedOf(value: unknown): OwedStatus | null {
  const fields = fieldsOf(value);
  const why = textOf(fields?.["why"]);
  const sinceMs = numberOf(fields?.["sinceMs"]);
  if (why === null || sinceMs === null) return null;
  return { why, sinceMs, heldUntilMs: numberOf(fields?.["heldUntilMs"]) };
}

function scanOf(value: unknown): ScanStatus | null {
  const fields = fieldsOf(value);
  const [kind, why, phase] = [fields?.["kind"], fields?.["why"], fields?.["phase"]].map(textOf);
  const ms = numberOf(fields?.["ms"]);
  if (kind == null || why == null || phase == null || ms === null) return null;
  return { kind, why, phase, ms, slot: numberOf(fields?.["slot"]) ?? -1 };
}

function catchUpOf(value: unknown): CatchUp | null {
  const fields = fieldsOf(value);
  const share = numberOf(fields?.["share"]);
  const recordsPerSecond = numberOf(fields?.["recordsPerSecond"]);
  if (share === null || recordsPerSecond === null) return null;
  const told = { share, recordsPerSecond, leftMs: numberOf(fields?.["leftMs"]) };
  return fields?.["leftIsMost"] === true ? { ...told, leftIsMost: true } : told;
}

function divergedOf(value: unknown): DivergedEntry[] {
  if (!Array.isArray(value)) return [];
  return value.slice(0, DIVERGED_MAX).flatMap((entry) => {
    const fields = fieldsOf(entry);
    const slot = numberOf(fields?.["slot"]);
    const kind = DIFFERENCE_KINDS.find((word) => word === fields?.["kind"]);
    const here = slotWordOf(fields?.["here"]);
    if (slot === null || kind === undefined || here === null) return [];
    return [{ slot, kind, here, there: slotWordOf(fields?.["there"]) }];
  });
}

function slotWordOf(value: unknown): SlotWord | null {
  const fields = fieldsOf(value);
  const status = textOf(fields?.["status"]);
  const version = numberOf(fields?.["version"]);
  return status === null || version === null ? null : { status, version };
}

function fieldsOf(value: unknown): Fields | null {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Fields)
    : null;
}

function numberOf(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : null;
}

function digitsOf(value: unknown): string | null {
  return typeof value === "string" && /^\d{1,20}$/.test(value) ? value : null;
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value.slice(0, TEXT_CHARS_MAX) : null;
}

function flagOf(value: unknown): boolean | null {
  return typeof value === "boolean" ? value : null;
}
