// The table of `armdb repair`, and its options turned into what the repair takes. Used by repair.ts beside it.

import { probeProtocol } from "../../audit/leader/probe.ts";
import type { RepairOptions } from "../../audit/repair/repair.ts";
import { readReport } from "../../audit/repair/plan/scope.ts";
import { directorySource, leaderSource, type RepairSource } from "../../audit/repair/source.ts";
import { ArmdbError } from "../../errors.ts";
import { formatAddress, parseAddress } from "../../io/address.ts";
import { slotSizeOf } from "../../format/slot.ts";
import { SHARDS_MAX, SLOT_BYTES_MAX } from "../../limits.ts";
import { requireWholeCopy } from "../../store/whole-copy.ts";
import type { Context } from "../command.ts";
import { LEADER_TIMEOUT_OPTION, LIMIT_RATE_OPTION, PROGRESS_OPTION } from "../words/pace.ts";
import type { CommandSpec } from "../words/spec.ts";
import { escapeText } from "../surface/escape.ts";

export const repairSpec: CommandSpec = {
  name: "repair",
  summary: "print how damage is mended; --apply mends it",
  description:
    "Verifies DIR, prints a plan and exits 3; --apply carries it out after asking (off a terminal it needs --yes), then " +
    "verifies again. Without --from a record that cannot be trusted is taken out: in a replica its slot becomes never-used " +
    "and the next scan of any follower brings it back, elsewhere it becomes free with its version kept; the keys lost until " +
    "then are listed first. With --from LEADER or --from DIR2 the records are fetched. Everything that is changed is first " +
    "saved in DIR/armdb-undo-TIME.journal, and --undo puts it back byte for byte. Killed at any point, run it again.",
  arguments: [
    { name: "DIR", required: true, summary: "a database directory", complete: "directory" },
  ],
  options: [
    {
      name: "apply",
      kind: "flag",
      summary: "carry the plan out",
      commandLineOnly: true,
    },
    {
      name: "from",
      kind: "text",
      value: "LEADER|DIR2",
      summary: "fetch what cannot be rebuilt from a leader or another directory",
      complete: "directory",
    },
    {
      name: "plan",
      kind: "text",
      value: "REPORT",
      summary: "touch only what this report of armdb verify names and what still stands so",
      complete: "file",
    },
    { name: "shard", kind: "integer", value: "N", summary: "only this shard" },
    {
      name: "keep",
      kind: "text",
      value: "SHARD:SLOT",
      summary: "of several live slots with one key, the one to keep",
      repeatable: true,
    },
    {
      name: "prefix-bits",
      kind: "integer",
      value: "N",
      summary:
        "shard_prefix_bits for a db.meta that has to be written again, where the keys do not tell",
    },
    {
      name: "key-len",
      kind: "integer",
      value: "N",
      summary: "bytes of a key, where no header is left to say; goes with --value-len",
    },
    {
      name: "value-len",
      kind: "integer",
      value: "N",
      summary: "bytes of a value, where no header is left to say",
    },
    {
      name: "undo",
      kind: "text",
      value: "JOURNAL",
      summary: "put back what a repair changed",
      complete: "file",
      commandLineOnly: true,
    },
    {
      name: "force",
      kind: "flag",
      summary:
        "although another process has files of DIR open, they changed since (--undo), or the first copy into DIR2 has not ended (--from)",
      commandLineOnly: true,
    },
    LIMIT_RATE_OPTION,
    LEADER_TIMEOUT_OPTION,
    PROGRESS_OPTION,
  ],
  examples: [
    { command: "armdb repair ./replica", explains: "what would be done; writes nothing" },
    {
      command: "armdb repair ./replica --from db1:7400 --apply",
      explains: "fetch what is damaged from the leader",
    },
    {
      command: "armdb repair ./replica --undo ./replica/armdb-undo-20270131T120005123Z.journal",
      explains: "take a repair back",
    },
    {
      command: "armdb repair ./replica --json | jq '.lostKeys'",
      explains: "the keys that a local repair would take out",
    },
  ],
  exits: [
    [0, "nothing to do, or repaired and verified"],
    [3, "a plan was printed, or damage is left"],
    [4, "no damage is left, but the first copy has not ended; or that into DIR2 has not"],
    [5, "part of it could not be read or checked, or it changed meanwhile"],
    [2, "usage, or --yes is missing"],
    [10, "no database there"],
    [11, "locked, or open for writing, by another process"],
    [12, "the leader cannot be reached, or was lost"],
    [13, "another format, or the source is another database"],
    [14, "no space"],
    [15, "storage"],
  ],
  next: ["armdb verify DIR", "armdb repair DIR --undo JOURNAL", "armdb compare DIR LEADER"],
};

/** Checks the options and reads the report; the source is opened when it is needed. */
export function repairOptions(context: Context, path: string): RepairOptions {
  const { args, disk } = context;
  const from = args.text("from");
  const report = args.text("plan");
  const prefixBits = args.integer("prefix-bits");
  if (prefixBits !== null && prefixBits > 255) {
    throw new ArmdbError("usage", `--prefix-bits is ${prefixBits}, accepted: 0 to 255`, {
      hint: "0 routes by the whole key",
    });
  }
  return {
    path,
    shard: args.integer("shard"),
    reported: report === null ? null : readReport(disk, report),
    keep: args.texts("keep").map(parseKeep),
    prefixBits,
    lengths: lengthsOf(context),
    force: args.flag("force"),
    bytesPerSecond: args.bytes("limit-rate"),
    openSource: from === null ? null : () => openSource(context, path, from),
  };
}

function lengthsOf({ args }: Context): RepairOptions["lengths"] {
  const keyLen = args.integer("key-len");
  const valueLen = args.integer("value-len");
  if (keyLen === null && valueLen === null) return null;
  if (keyLen === null || valueLen === null) {
    throw new ArmdbError("usage", "--key-len and --value-len go together", {
      hint: "--key-len 8 --value-len 16",
    });
  }
  if (keyLen > 0 && slotSizeOf(keyLen, valueLen) <= SLOT_BYTES_MAX) return { keyLen, valueLen };
  throw new ArmdbError(
    "usage",
    `No slot has keys of ${keyLen} and values of ${valueLen} bytes: at most ${SLOT_BYTES_MAX} fit, and a key has at least 1`,
    { hint: "the lengths that the program was compiled with" },
  );
}

function parseKeep(text: string): { readonly shard: number; readonly slot: number } {
  const match = /^(\d{1,3}):(\d{1,10})$/.exec(text);
  const shard = Number(match?.[1]);
  if (match === null || shard >= SHARDS_MAX) {
    throw new ArmdbError("usage", `--keep is "${escapeText(text)}", accepted: SHARD:SLOT`, {
      hint: "--keep 0:17",
    });
  }
  return { shard, slot: Number(match[2]) };
}

async function openSource(context: Context, path: string, from: string): Promise<RepairSource> {
  const { args, disk, net, clock, stop, messages } = context;
  const address = parseAddress(from);
  if (address === null) {
    const here = disk.facts(path);
    const there = disk.facts(from);
    if (there !== null && there.inode === here?.inode && there.device === here.device) {
      throw new ArmdbError("usage", `"${path}" cannot be repaired from itself`, {
        path,
        hint: "--from LEADER, or another directory",
      });
    }
    return directorySource(disk, from, (copy) => {
      requireWholeCopy(copy, {
        ...{ dir: from, shard: args.integer("shard"), force: args.flag("force") },
        doing: "repair from",
        outcome: "what is missing there counts as never written",
        purpose: "to take what is there",
        warn: (text) => messages.warn(text),
      });
    });
  }
  const protocol = await probeProtocol(net, clock, address, stop);
  if (protocol === 1 && !args.flag("yes")) {
    const leader = formatAddress(address);
    throw new ArmdbError(
      "usage",
      `Leader ${leader} speaks protocol 1: it gives each shard's live stream only once, to whoever asks first, until it is ` +
        "restarted. Fetching from it may be what takes it, and a follower that comes later would go stale",
      { hint: "--from another directory, or add --yes" },
    );
  }
  return leaderSource(net, clock, address, {
    protocol,
    stop,
    bytesPerSecond: args.bytes("limit-rate"),
    timeoutMs: args.durationMs("timeout"),
  });
}
