// `armdb inspect key DIR KEY`: every slot that holds or held a key, found by routing and then by reading its shard.

import { shellWord } from "../../shell-words.ts";
import { readDirectory, type DatabaseDirectory } from "../../audit/look/database-look.ts";
import { parseKey } from "../../audit/inspect/key-spelling.ts";
import { KeySearch, type KeySearchResult } from "../../audit/inspect/key-search.ts";
import { shardOf } from "../../audit/inspect/slot-view.ts";
import { ArmdbError } from "../../errors.ts";
import { toHex } from "../../bytes.ts";
import { completeOfAll } from "../../store/copy-state.ts";
import { shardOfKey } from "../../format/routing.ts";
import { type Command, type Context, stopStatus } from "../command.ts";
import { LIMIT_RATE_OPTION } from "../words/pace.ts";
import type { CommandSpec } from "../words/spec.ts";
import type { Output } from "../surface/surface.ts";
import { escapeText } from "../surface/escape.ts";
import { formatCount, formatCounted } from "../surface/numbers.ts";
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
    [5, "not all of its shard could be read"],
    [10, "no database there"],
  ],
  next: ["armdb inspect slot DIR SHARD SLOT"],
};

export const inspectKeyCommand: Command = { spec, run };

/** Everything that the document or the text says. */
interface Answer {
  readonly key: Uint8Array;
  /** The shard that the key belongs to; null when that is not known. */
  readonly home: number | null;
  readonly found: KeySearchResult;
  readonly stopped: boolean;
  readonly complete: boolean | null;
  readonly format: ByteFormat;
}

async function run(context: Context): Promise<number> {
  const { out, stop } = context;
  const path = requiredArgument(context, "DIR");
  const directory = readDirectory(context.disk, path);
  const key = parseKey(requiredArgument(context, "KEY"), keyLenOf(directory));
  const home = homeOf(directory, key);
  const looks = home === null ? directory.shards : [shardOf(directory, home)];
  const search = new KeySearch(
    { ...context, bytesPerSecond: context.args.bytes("limit-rate") },
    key,
  );
  for (const look of looks) {
    await search.search(directory, look);
  }
  const answer: Answer = {
    key,
    home,
    found: search.result,
    stopped: stop.aborted,
    complete: completeOfAll(looks.map((look) => directory.copy.shards[look.shard] ?? null)),
    format: formatOf(context),
  };
  if (context.json) out.json(documentOf(answer));
  else render(out, answer);
  return stopStatus(answer.stopped, stop) ?? statusOf(answer);
}

/** Damage goes before what could not be read, which is never reported as fine. */
function statusOf({ found, home }: Answer): number {
  const isAstray = found.liveByShard.some(
    ({ shard }) => home !== null && shard.look.shard !== home,
  );
  if (found.hasDamaged || found.liveTotal > 1 || isAstray) return 3;
  return found.isWhole ? 0 : 5;
}

function keyLenOf(directory: DatabaseDirectory): number {
  if (directory.layout !== null) return directory.layout.keyLen;
  throw new ArmdbError(
    "damaged",
    `Cannot look for keys in "${directory.path}": no header says how long they are`,
    {
      path: directory.path,
      hint: `armdb verify ${shellWord(directory.path)}`,
    },
  );
}

/** The shard the key belongs to; null when the prefix bits are not known. */
function homeOf({ routing }: DatabaseDirectory, key: Uint8Array): number | null {
  if (!routing.bitsKnown && routing.shardCount > 1) return null;
  return shardOfKey(key, routing.shardCount, routing.shardPrefixBits);
}

function documentOf({ key, home, found, stopped, complete, format }: Answer): unknown {
  const { live } = found;
  return {
    schema: 1,
    command: "inspect-key",
    key: toHex(key),
    shard: home,
    complete,
    stopped,
    isWhole: found.isWhole,
    searched: { slots: String(found.slotsSearched), of: String(found.slotsWanted) },
    live:
      live === null
        ? null
        : {
            slot: live.view.slot,
            version: live.view.decoded.version,
            value: format === "redacted" ? null : toHex(live.view.decoded.value),
          },
    slotsTotal: found.slotsTotal,
    slots: found.listed.map(({ shard, view }) => ({
      shard: shard.look.shard,
      ...slotDocument(view, format),
    })),
  };
}

function render(out: Output, answer: Answer): void {
  const { key, home, found, format, complete } = answer;
  const { palette } = out;
  const place = home === null ? "its shard is not known, all were read" : `shard ${home}`;
  out.line(`${palette.bold(`key 0x${toHex(key)}`)}${describeText(key)}: ${place}`);
  if (found.slotsTotal === 0) {
    out.line(nowhereText(answer));
    return;
  }
  out.line("");
  for (const shard of new Set(found.listed.map((each) => each.shard))) {
    if (home === null) out.line(`shard ${shard.look.shard}`);
    const views = found.listed.filter((each) => each.shard === shard).map(({ view }) => view);
    renderSlotTable(out, views, format);
  }
  const more = found.slotsTotal - found.listed.length;
  if (more > 0) out.line(`and ${formatCount(more)} more slots with this key`);
  out.line("");
  if (found.liveTotal === 0) {
    const perhaps = complete === false ? "; this copy is incomplete" : "";
    out.line(`not live: deleted, or its slot is damaged${perhaps}`);
  }
  if (found.liveTotal > 1)
    out.line(
      palette.red(
        `live in ${formatCount(found.liveTotal)} slots: which is served depends on the crate's version`,
      ),
    );
  for (const { shard, view } of found.liveByShard) renderSlot(out, shard, view, format);
  if (!found.isWhole) out.line(palette.yellow(searchedText(answer)));
}

/** Never "no slot has it" of what was not searched to its end. */
function nowhereText(answer: Answer): string {
  const { complete, found } = answer;
  if (!found.isWhole) return `not found so far: ${searchedText(answer)}`;
  return complete === false
    ? "not found; this copy is incomplete"
    : "no slot has it: never written, or its slots were used again";
}

function searchedText({ found, stopped }: Answer): string {
  const { slotsSearched, slotsWanted, unreadable } = found;
  const how = `${formatCount(slotsSearched)} of ${formatCounted(slotsWanted, "slot")} searched`;
  const why = stopped ? "stopped before the end" : escapeText(unreadable ?? "");
  return why === "" ? how : `${how}, ${why}`;
}

function describeText(key: Uint8Array): string {
  const shown = showKey(key, "auto");
  return shown.startsWith('"') ? ` (${shown})` : "";
}
