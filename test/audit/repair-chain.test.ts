// A repaired leader and the followers that it had before: the crate's own follower, kept from before the damage, takes what is written
// into the slots that were lost. With a version set back it would not, and nobody would say so.

import { describe, expect, test } from "bun:test";
import { repairCommand } from "../../src/cli/commands/repair.ts";
import { packMeta, slotLayout, STATUS_FREE } from "../../src/format/slot.ts";
import {
  ORACLE_VERSIONS,
  oracleAvailable,
  OracleFollower,
  OracleLeader,
  type OracleVersion,
} from "../support/oracle.ts";
import { DatabaseFiles, runWords, TempDirectory } from "./repair-support.ts";

const LAYOUT = slotLayout(8, 16);
const RECORDS = 30_000;
const LOST = 20_000;
const PUTS_EACH = 5;
const SHAPE = { shards: 1, prefixBits: 0, key: 8, value: 16, growStep: RECORDS };
const LIMIT_MS = 120_000;

const lead = (version: OracleVersion, root: TempDirectory) =>
  OracleLeader.start({ ...SHAPE, version, dir: `${root.path}/leader` });

/** The crate's follower catches up, and is closed. */
async function follow(
  version: OracleVersion,
  root: TempDirectory,
  leader: OracleLeader,
): Promise<void> {
  const wanted = await leader.digest();
  const dir = `${root.path}/replica`;
  const follower = await OracleFollower.start({ ...SHAPE, version, dir, leader: leader.address });
  expect(await follower.waitdigest(wanted.digest, 30_000, wanted.count)).toEqual(wanted);
  await follower.close();
}

describe.if(oracleAvailable())("a leader that lost slots, and was repaired", () => {
  test.each(ORACLE_VERSIONS)(
    "has followers that miss nothing of what comes after: %s",
    async (version) => {
      using root = new TempDirectory();
      const before = await lead(version, root);
      for (let seed = 1; seed <= PUTS_EACH; seed++) await before.fill(0, RECORDS, seed);
      await follow(version, root, before);
      await before.close();

      const files = new DatabaseFiles(`${root.path}/leader`, LAYOUT);
      files.poke(files.file(0), 4096, new Uint8Array(LOST * LAYOUT.slotSize));
      const repaired = await runWords(repairCommand, [files.path, "--apply", "--yes", "--json"]);
      expect([repaired.status, repaired.document["lostKeysTotal"]]).toEqual([0, LOST]);
      const words = new Set<number>();
      const bytes = await Bun.file(files.file(0)).arrayBuffer();
      const view = new DataView(bytes);
      for (let slot = 0; slot < LOST; slot++) {
        words.add(view.getUint32(4096 + slot * LAYOUT.slotSize, true));
      }
      expect([...words]).toEqual([packMeta(STATUS_FREE, PUTS_EACH)]);

      const after = await lead(version, root);
      await after.fill(RECORDS, LOST, 9);
      expect(await after.count()).toBe(RECORDS);
      await follow(version, root, after);
      await after.close();
    },
    LIMIT_MS,
  );
});
