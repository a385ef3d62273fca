// `armdb inspect slot DIR SHARD SLOT`: one slot decoded byte by byte. Reads that slot only.

import { shellWord } from "../../shell-words.ts";
import { readDirectory, slotCountOf } from "../../audit/look/database-look.ts";
import {
  readableShard,
  type ReadableShard,
  readSlot,
  shardOf,
  type SlotView,
} from "../../audit/inspect/slot-view.ts";
import { ArmdbError } from "../../errors.ts";
import type { Disk } from "../../io/disk.ts";
import type { Command, Context } from "../command.ts";
import type { CommandSpec } from "../words/spec.ts";
import { renderSlot, slotDocument } from "../render/slots.ts";
import { FORMAT_OPTION, formatOf, requiredArgument, requiredNumber } from "./audit-arguments.ts";

const spec: CommandSpec = {
  name: "inspect slot",
  summary: "one slot decoded byte by byte, crc stored and computed, routing",
  description:
    "Prints every field of the slot with its place in the file, its raw bytes and its meaning, whether the crc is right, and which shard the key belongs to.",
  arguments: [
    { name: "DIR", required: true, summary: "a database directory", complete: "directory" },
    { name: "SHARD", required: true, summary: "its number, from 0" },
    { name: "SLOT", required: true, summary: "its number, from 0" },
  ],
  options: [FORMAT_OPTION],
  examples: [
    { command: "armdb inspect slot db 0 5", explains: "the sixth slot of the first shard" },
    { command: "armdb inspect slot db 0 5 --format redacted", explains: "without the value" },
    { command: "armdb inspect slot db 0 5 --json | jq -r .value", explains: "the value in hex" },
  ],
  exits: [
    [0, "shown"],
    [2, "no such shard or slot"],
    [3, "shown, and it is damaged"],
    [10, "no database there"],
  ],
  next: ["armdb inspect key DIR KEY", "armdb repair DIR"],
};

export const inspectSlotCommand: Command = { spec, run };

async function run(context: Context): Promise<number> {
  const { disk, out } = context;
  const directory = readDirectory(disk, requiredArgument(context, "DIR"));
  const look = shardOf(directory, requiredNumber(context, "SHARD"));
  const slot = requiredNumber(context, "SLOT");
  const shard = readableShard(directory, look);
  const view = viewOrThrow(disk, shard, slot, slotCountOf(directory, look));
  const format = formatOf(context);
  if (context.json) {
    const { layout } = shard;
    out.json({
      schema: 1,
      command: "inspect-slot",
      shard: look.shard,
      ...slotDocument(view, format),
      slotSize: layout.slotSize,
      damaged: view.isDamaged,
    });
  } else {
    renderSlot(out, shard, view, format);
  }
  const isMisrouted =
    view.statusName === "occupied" && view.shardByKey !== null && view.shardByKey !== look.shard;
  return view.isDamaged || isMisrouted ? 3 : 0;
}

function viewOrThrow(disk: Disk, shard: ReadableShard, slot: number, slotCount: number): SlotView {
  const { look } = shard;
  const path = look.data.path;
  const file = disk.open(path, "read");
  try {
    const view = readSlot(file, shard, slot);
    if (view !== null) return view;
  } finally {
    file.close();
  }
  if (slot < slotCount) {
    throw new ArmdbError(
      "damaged",
      `Slot ${slot} of shard ${look.shard} is cut off: "${path}" ends at byte ${look.fileBytes}`,
      {
        path,
        shard: look.shard,
        slot,
        hint: `armdb verify ${shellWord(shard.directory.path)}`,
      },
    );
  }
  throw new ArmdbError(
    "usage",
    `There is no slot ${slot} in shard ${look.shard}: its slots are 0 to ${slotCount - 1}`,
    {
      path,
      shard: look.shard,
      slot,
      hint: `armdb inspect shard ${shellWord(shard.directory.path)} ${look.shard}`,
    },
  );
}
