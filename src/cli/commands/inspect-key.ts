// `armdb inspect key DIR KEY`: every slot that holds or held a key, found by routing and then by reading its shard.

import {
  readDirectory,
  type DatabaseDirectory,
  slotCountOf,
} from "../../audit/look/database-look.ts";
import { parseKey } from "../../audit/inspect/key-spelling.ts";
import { findKey } from "../../audit/inspect/key-search.ts";
import {
  type ReadableShard,
  readableShard,
  shardOf,
  type SlotView,
} from "../../audit/inspect/slot-view.ts";
import { ArmdbError } from "../../errors.ts";
import { toHex } from "../../bytes.ts";
import { completeOfAll } from "../../store/copy-state.ts";
import { shardOfKey } from "../../format/routing.ts";
import { type Command, type Context, signalStatus } from "../command.ts";
import { LIMIT_RATE_OPTION } from "../words/pace.ts";
import type { CommandSpec } from "../words/spec.ts";
import { type ByteFormat, showKey } from "../render/bytes.ts";
import { renderSlot, renderSlotTable, slotDocument } from "../render/slots.ts";
import { FORMAT_OPTION, formatOf, requiredArgument } from "./audit-arguments.ts";

const spec: CommandSpec = {
  name: "inspect key",
  summary: "where a key lives or lived: each slot, status, version, value",
  description:
    "Finds the key's shard by routing, reads that shard, and lists every slot with the key: the live one, and those it was deleted from. " +
    "KEY: `0x...` and `hex:...` give every byte; `text:abc`, or any other word, is padded with zeros at the end; `u64be:42`, `u64le:42`, `u32be:42` and `u32le:42` need that key length.",
  arguments: [
    { name: "DIR", required: true, summary: "a database directory", complete: "directory" },
    {
      name: "KEY",
      required: true,
      summary: "0x..., hex:..., text:abc, u64be:42, u64le:, u32be:, u32le:",
    },
  ],
  options: [FORMAT_OPTION, LIMIT_RATE_OPTION],
  examples: [
    { command: "armdb inspect key db u64be:42", explains: "an integer key" },
    { command: "armdb inspect key db text:user-17", explains: "a text key, padded with zeros" },
    {
      command: "armdb inspect key db 0x000000000000002a --json | jq -r .live.value",
      explains: "the value in hex",
    },
  ],
  exits: [
    [0, "searched, whether the key is there or not"],
    [2, "the key cannot be one of this database"],
    [3, "the key is live twice, or a slot with it is damaged"],
    [10, "no database there"],
  ],
  next: ["armdb inspect slot DIR SHARD SLOT"],
};

export const inspectKeyCommand: Command = { spec, run };

interface Found {
  readonly shard: ReadableShard;
  readonly views: readonly SlotView[];
}

async function run(context: Context): Promise<number> {
  const { out, stop } = context;
  const path = requiredArgument(context, "DIR");
  const directory = readDirectory(context.disk, path);
  const key = parseKey(requiredArgument(context, "KEY"), keyLenOf(directory));
  const home = homeOf(directory, key);
  const found = await search(context, directory, home, key);
  const live = found.flatMap(({ shard, views }) =>
    views.filter(isLive).map((view) => ({ shard, view })),
  );
  const format = formatOf(context);
  const complete = completeOfAll(
    found.map(({ shard }) => directory.copy.shards[shard.look.shard] ?? null),
  );
  if (context.json) out.json(documentOf(key, home, found, complete, format));
  else render(context, key, home, found, complete, format);
  if (stop.aborted) return signalStatus(stop.reason);
  const isDamaged = found.some(({ views }) => views.some((view) => view.isDamaged));
  const isAstray = live.some(({ shard }) => home !== null && shard.look.shard !== home);
  return isDamaged || live.length > 1 || isAstray ? 3 : 0;
}

function keyLenOf(directory: DatabaseDirectory): number {
  if (directory.layout !== null) return directory.layout.keyLen;
  throw new ArmdbError(
    "damaged",
    `Cannot look for keys in "${directory.path}": no header says how long they are`,
    {
      path: directory.path,
      hint: `armdb verify ${directory.path}`,
    },
  );
}

/** The shard the key belongs to; null when the prefix bits are not known. */
function homeOf({ routing }: DatabaseDirectory, key: Uint8Array): number | null {
  if (!routing.bitsKnown && routing.shardCount > 1) return null;
  return shardOfKey(key, routing.shardCount, routing.shardPrefixBits);
}

/** Reads the key's own shard; every shard where that is not known. */
async function search(
  context: Context,
  directory: DatabaseDirectory,
  home: number | null,
  key: Uint8Array,
): Promise<Found[]> {
  const looks = home === null ? directory.shards : [shardOf(directory, home)];
  const found: Found[] = [];
  const bytesPerSecond = context.args.bytes("limit-rate");
  for (const look of looks) {
    const shard = readableShard(directory, look);
    const slotCount = slotCountOf(directory, look);
    const { slots } = await findKey({ ...context, bytesPerSecond }, shard, slotCount, key);
    found.push({ shard, views: slots });
  }
  return found;
}

function isLive(view: SlotView): boolean {
  return view.statusName === "occupied" && view.crcMatches;
}

/** Of several live slots the highest, which FixedMap serves (format.md: last section). */
function liveOf(found: readonly Found[]): SlotView | null {
  return found.flatMap(({ views }) => views.filter(isLive)).at(-1) ?? null;
}

function documentOf(
  key: Uint8Array,
  home: number | null,
  found: readonly Found[],
  complete: boolean | null,
  format: ByteFormat,
): unknown {
  const live = liveOf(found);
  const hides = format === "redacted";
  return {
    schema: 1,
    command: "inspect-key",
    key: toHex(key),
    shard: home,
    complete,
    live:
      live === null
        ? null
        : {
            slot: live.slot,
            version: live.decoded.version,
            value: hides ? null : toHex(live.decoded.value),
          },
    slots: found.flatMap(({ shard, views }) =>
      views.map((view) => ({ shard: shard.look.shard, ...slotDocument(view, format) })),
    ),
  };
}

function render(
  context: Context,
  key: Uint8Array,
  home: number | null,
  found: readonly Found[],
  complete: boolean | null,
  format: ByteFormat,
): void {
  const { out } = context;
  const { palette } = out;
  const place = home === null ? "its shard is not known, all were read" : `shard ${home}`;
  out.line(`${palette.bold(`key 0x${toHex(key)}`)}${describeText(key)}: ${place}`);
  const views = found.flatMap((one) => one.views);
  const live = views.filter(isLive);
  if (views.length === 0) {
    out.line(
      complete === false
        ? "not found; this copy is incomplete"
        : "no slot has it: never written, or its slots were used again",
    );
    return;
  }
  out.line("");
  for (const one of found) {
    if (one.views.length === 0) continue;
    if (home === null) out.line(`shard ${one.shard.look.shard}`);
    renderSlotTable(out, one.views, format);
  }
  out.line("");
  if (live.length === 0) {
    const perhaps = complete === false ? "; this copy is incomplete" : "";
    out.line(`not live: deleted, or its slot is damaged${perhaps}`);
  }
  if (live.length > 1)
    out.line(
      palette.red(`live in ${live.length} slots: which is served depends on the crate's version`),
    );
  for (const one of found) {
    const view = one.views.filter(isLive).at(-1);
    if (view !== undefined) renderSlot(out, one.shard, view, format);
  }
}

function describeText(key: Uint8Array): string {
  const shown = showKey(key, "auto");
  return shown.startsWith('"') ? ` (${shown})` : "";
}
