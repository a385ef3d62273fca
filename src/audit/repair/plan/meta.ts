// db.meta again, from what the shards, a source or the operator say. Used by repair/plan/plan.ts. Reads keys,
// writes nothing. Promises: a value that cannot be known is not written: a wrong one would send keys to wrong shards.

import {
  BACKEND_FIXED_STORE,
  DB_META_BYTES,
  type DbMeta,
  type DbMetaFields,
  dbMetaFault,
  decodeDbMeta,
  encodeDbMeta,
} from "../../../format/db-meta.ts";
import type { SlotLayout } from "../../../format/slot.ts";
import type { Disk } from "../../../io/disk.ts";
import type { Geometry } from "../../../store/geometry.ts";
import type { DatabaseDirectory } from "../../look/database-look.ts";
import { readUpTo, withFile } from "../../look/file-look.ts";
import type { Finding } from "../../findings.ts";
import {
  type Change,
  type FileAttributes,
  META,
  ROOT,
  type Step,
  writeOfDifference,
} from "../changes.ts";
import { possibleBits } from "./routing.ts";

export interface MetaFacts {
  readonly disk: Disk;
  readonly directory: DatabaseDirectory;
  readonly layout: SlotLayout | null;
  /** Damage of db.meta that is in scope. */
  readonly findings: readonly Finding[];
  /** What the source says; null without one, or before it was asked. */
  readonly source: Geometry | null;
  /** `--prefix-bits`. */
  readonly prefixBits: number | null;
  readonly attributes: FileAttributes;
}

export type MetaDecision =
  | { readonly kind: "sound" }
  | { readonly kind: "mend"; readonly step: Step; readonly meta: DbMeta }
  | { readonly kind: "left"; readonly why: string; readonly hint: string };

/** A db.meta of more bytes is not read to its end: it is nobody's db.meta. */
const META_BYTES_READ_MAX = 64 * 1024;

/** What is to become of db.meta. */
export function planMeta(facts: MetaFacts): MetaDecision {
  const first = facts.findings[0];
  if (first === undefined) return { kind: "sound" };
  if (first.kind === "file-type" || first.kind === "unreadable") {
    const hint = "ls -l on db.meta: move what is there out of the way, then repair";
    return { kind: "left", why: first.message, hint };
  }
  const decided = decideMeta(facts);
  if ("why" in decided) return { kind: "left", ...decided };
  const before = readMeta(facts);
  if (before !== null && before.length > META_BYTES_READ_MAX) {
    const why = "db.meta is far too long to be one";
    return { kind: "left", why, hint: "mv db.meta out of the way, then repair" };
  }
  return { kind: "mend", step: metaStep(facts, before, decided, first), meta: decided };
}

function decideMeta(facts: MetaFacts): DbMeta | { readonly why: string; readonly hint: string } {
  const { directory, layout, source, prefixBits } = facts;
  const { routing, meta } = directory;
  const shardCount = source?.shardCount ?? countOf(facts);
  if (shardCount === 0) {
    const hint = "armdb repair DIR --from LEADER or DIR2";
    return { why: "there is no shard, and nothing tells how many there were", hint };
  }
  if (prefixBits !== null) return { shardCount, shardPrefixBits: prefixBits };
  if (source !== null) return { shardCount, shardPrefixBits: source.shardPrefixBits };
  const stated = statedBits(facts);
  const isBelieved =
    routing.source === "meta" || (meta.fields !== null && routing.shardPrefixBits === stated);
  if (isBelieved && routing.bitsKnown && stated !== null) {
    return { shardCount, shardPrefixBits: stated };
  }
  if (shardCount === 1) return { shardCount, shardPrefixBits: stated ?? 0 };
  const hint = "armdb repair DIR --prefix-bits N, or --from LEADER or DIR2, which know it";
  if (layout === null) return { why: "no header says how long keys are", hint };
  const possible = possibleBits(facts.disk, directory, layout, shardCount);
  if (stated !== null && possible.includes(stated)) return { shardCount, shardPrefixBits: stated };
  const [only, ...others] = possible;
  if (only !== undefined && others.length === 0) return { shardCount, shardPrefixBits: only };
  const why =
    only === undefined
      ? `no prefix length routes the keys to the ${shardCount} shards they lie in`
      : `several prefix lengths route all keys: ${possible.slice(0, 16).join(", ")}`;
  return { why, hint };
}

/** The shard count: what a db.meta of a wrong length still says, or as many directories as there are. 0: not known. */
function countOf({ directory }: MetaFacts): number {
  const { meta, routing, shards } = directory;
  if (meta.fields !== null) return routing.shardCount;
  const counted = shards.some((look) => look.directory.facts !== null) ? routing.shardCount : 0;
  const stated = readable(meta.bytes)?.shardCount ?? 0;
  return Math.max(stated, counted);
}

/** The prefix bits that db.meta has where the rest of it is damaged, but not the place where they stand. */
function statedBits({ directory, findings }: MetaFacts): number | null {
  if (findings.some((finding) => finding.kind === "meta-prefix-bits")) return null;
  const { fields, bytes } = directory.meta;
  if (fields !== null) return fields.shardPrefixBits;
  return bytes !== null && bytes.length > PREFIX_BITS_OFFSET
    ? (readable(bytes)?.shardPrefixBits ?? null)
    : null;
}

const SHARD_COUNT_OFFSET = 6;
const PREFIX_BITS_OFFSET = 7;

/** The fields of a db.meta of a wrong length, as far as it goes and if it begins as one. */
function readable(bytes: Uint8Array | null): DbMetaFields | null {
  if (bytes === null || bytes.length <= SHARD_COUNT_OFFSET) return null;
  const whole = new Uint8Array(DB_META_BYTES);
  whole.set(bytes.subarray(0, DB_META_BYTES), 0);
  const decoded = decodeDbMeta(whole);
  return dbMetaFault(decoded) === null ? decoded : null;
}

function readMeta({ disk, directory }: MetaFacts): Uint8Array | null {
  const { facts, path } = directory.meta;
  if (facts === null) return null;
  return withFile(disk, path, (file) => readUpTo(file, 0, META_BYTES_READ_MAX + 1));
}

function metaStep(
  { attributes }: MetaFacts,
  before: Uint8Array | null,
  meta: DbMeta,
  finding: Finding,
): Step {
  const after = encodeDbMeta(meta);
  const changes: Change[] = [];
  if (before === null) changes.push({ kind: "create", place: META, attributes });
  const padded = new Uint8Array(Math.max(DB_META_BYTES, before?.length ?? 0));
  padded.set(before ?? [], 0);
  // What is cut off is written to zeros first, so that the journal has it.
  const wanted = new Uint8Array(padded.length);
  wanted.set(after, 0);
  const bytesBefore = before?.length ?? 0;
  const write: Change | null =
    bytesBefore === DB_META_BYTES
      ? writeOfDifference(META, 0, padded, wanted)
      : { kind: "write", place: META, offset: 0, before: padded, after: wanted };
  const resize: Change = { kind: "resize", place: META, bytesBefore, bytesAfter: DB_META_BYTES };
  // Growing comes before the write, cutting after it: taken back in the other order, the length is right at the end.
  if (bytesBefore < DB_META_BYTES) changes.push(resize);
  if (write !== null) changes.push(write);
  if (bytesBefore > DB_META_BYTES) changes.push(resize);
  changes.push({ kind: "sync", place: META });
  if (before === null) changes.push({ kind: "sync-directory", place: ROOT });
  const bits = meta.shardPrefixBits === 0 ? "the whole key" : `${meta.shardPrefixBits} bits`;
  return {
    kind: "db-meta",
    shard: null,
    slot: null,
    message: `${finding.message}: write ${meta.shardCount} shards, routing by ${bits}, backend ${BACKEND_FIXED_STORE}`,
    changes,
  };
}
