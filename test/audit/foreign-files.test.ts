// The files of two shards exchanged: one cause, and one finding a shard, however many keys lie in the wrong place by it.

import { describe, expect, test } from "bun:test";
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { inspectShardCommand } from "../../src/cli/commands/inspect-shard.ts";
import { repairCommand } from "../../src/cli/commands/repair.ts";
import { verifyCommand } from "../../src/cli/commands/verify.ts";
import { encodeDbMeta } from "../../src/format/db-meta.ts";
import { shardDirectory, shardOfKey } from "../../src/format/routing.ts";
import { encodeShardHeader } from "../../src/format/shard-header.ts";
import {
  encodeOccupiedSlot,
  packMeta,
  slotLayout,
  STATUS_OCCUPIED,
} from "../../src/format/slot.ts";
import { encodeSidecar } from "../../src/format/versions-sidecar.ts";
import { runCommand } from "../support/run-command.ts";
import { TempDirectory } from "./repair-support.ts";

const LAYOUT = slotLayout(8, 16);
const SLOTS = 1_000;

/** Two shards of `SLOTS` records each, closed cleanly, every version in them another one. */
function writeDatabase(path: string): void {
  writeFileSync(join(path, "db.meta"), encodeDbMeta({ shardCount: 2, shardPrefixBits: 0 }));
  let next = 0n;
  for (const shard of [0, 1]) {
    mkdirSync(join(path, shardDirectory(shard)));
    const words = new Uint32Array(SLOTS);
    const image = Buffer.alloc(SLOTS * LAYOUT.slotSize);
    for (let slot = 0; slot < SLOTS;) {
      const key = Buffer.alloc(8);
      key.writeBigUInt64BE(next++);
      if (shardOfKey(key, 2, 0) !== shard) continue;
      const meta = packMeta(STATUS_OCCUPIED, 1 + shard);
      const start = slot * LAYOUT.slotSize;
      const bytes = image.subarray(start, start + LAYOUT.slotSize);
      encodeOccupiedSlot(bytes, LAYOUT, meta, key, new Uint8Array(16));
      words[slot++] = meta;
    }
    const header = encodeShardHeader({
      ...LAYOUT,
      slotCount: SLOTS,
      shardId: shard,
      cleanShutdown: 1,
    });
    writeFileSync(join(path, shardDirectory(shard), "fixed.data"), Buffer.concat([header, image]));
    writeFileSync(join(path, shardDirectory(shard), "fixed.versions"), encodeSidecar(words));
  }
}

function exchange(path: string): void {
  const [first, second] = [0, 1].map((shard) => join(path, shardDirectory(shard), "fixed.data"));
  renameSync(first as string, join(path, "aside"));
  renameSync(second as string, first as string);
  renameSync(join(path, "aside"), second as string);
}

describe("exchanged files", () => {
  test("of 1,000 records each are two findings, in fewer than 40 lines of verify and of repair", async () => {
    using directory = new TempDirectory();
    writeDatabase(directory.path);
    expect((await runCommand(verifyCommand, [directory.path])).status).toBe(0);
    exchange(directory.path);
    const verified = await runCommand(verifyCommand, [directory.path, "--json"]);
    expect(verified.status).toBe(3);
    const [{ findings }] = verified.documents as [{ findings: unknown[] }];
    expect(findings).toMatchObject([
      {
        kind: "header-shard-id",
        shard: 0,
        belongsTo: 1,
        count: 1,
        message:
          "the files of shard 0 and 1 are exchanged: 1,000 of 1,000 records here belong to shard 1, 1,000 do not agree with the sidecar",
      },
      { kind: "header-shard-id", shard: 1, belongsTo: 0 },
    ]);
    expect(findings).toHaveLength(2);
    for (const command of [verifyCommand, repairCommand]) {
      const { status, lines } = await runCommand(command, [directory.path]);
      expect(status).toBe(3);
      expect(lines.length).toBeLessThanOrEqual(40);
    }
    const shown = await runCommand(inspectShardCommand, [directory.path, "0", "--json"]);
    expect(shown.documents).toMatchObject([
      { verdict: "damaged", findings: [{ kind: "header-shard-id", belongsTo: 1 }] },
    ]);
  });

  test("a header that names another shard over this shard's keys is no file in the wrong place", async () => {
    using directory = new TempDirectory();
    writeDatabase(directory.path);
    const path = join(directory.path, shardDirectory(0), "fixed.data");
    const bytes = Buffer.from(await Bun.file(path).arrayBuffer());
    bytes.writeUInt8(1, 16);
    writeFileSync(path, bytes);
    const { documents } = await runCommand(verifyCommand, [directory.path, "--json"]);
    const [{ findings }] = documents as [{ findings: Record<string, unknown>[] }];
    expect(findings.map(({ kind, belongsTo }) => [kind, belongsTo])).toEqual([
      ["header-shard-id", undefined],
    ]);
  });

  test("what else is wrong in such a file is still told", async () => {
    using directory = new TempDirectory();
    writeDatabase(directory.path);
    exchange(directory.path);
    const path = join(directory.path, shardDirectory(0), "fixed.data");
    const bytes = Buffer.from(await Bun.file(path).arrayBuffer());
    bytes.writeUInt8(bytes.readUInt8(4096 + 20) ^ 1, 4096 + 20);
    writeFileSync(path, bytes);
    const { documents } = await runCommand(verifyCommand, [directory.path, "--json"]);
    const [{ findings }] = documents as [{ findings: Record<string, unknown>[] }];
    expect(findings.map(({ kind, shard }) => [kind, shard])).toEqual([
      ["header-shard-id", 0],
      ["slot-crc", 0],
      ["header-shard-id", 1],
    ]);
  });
});
