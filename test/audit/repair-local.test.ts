// armdb repair without a source, over every kind of damage, on leaders' and followers' directories of the real crate.

import { describe, expect, test } from "bun:test";
import { STATUS_OCCUPIED } from "../../src/format/slot.ts";
import { repairCommand } from "../../src/cli/commands/repair.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { realClock } from "../../src/io/time.ts";
import { VERIFY_ALL, verifyDirectory } from "../../src/audit/verify.ts";
import { DAMAGES, type Damage } from "./repair-damages.ts";
import {
  contentsOf,
  FixtureCopy,
  FIXTURES,
  type FixtureName,
  journalsIn,
  runWords,
} from "./repair-support.ts";

const STATES = ["leader-clean", "follower-clean"] as const;
type State = (typeof STATES)[number];

function verify(copy: FixtureCopy) {
  return verifyDirectory(copy.path, VERIFY_ALL, {
    disk: realDisk,
    clock: realClock,
    stop: new AbortController().signal,
    progress: () => {},
  });
}

function applies(damage: Damage, name: FixtureName, state: State): boolean {
  const shards = name === "32x1000-1-shard" ? 1 : 2;
  return (
    (damage.shardsMin ?? 1) <= shards && (damage.followerOnly !== true || state !== "leader-clean")
  );
}

function expectation(damage: Damage, state: State): "mended" | "left" {
  if (typeof damage.local === "string") return damage.local;
  return state === "leader-clean" ? damage.local.leader : damage.local.follower;
}

/** Live keys and values with their shards, whatever slot they are in. */
function recordsOf(copy: FixtureCopy): string[] {
  const records: string[] = [];
  const { keyLen, valueLen } = copy.layout;
  for (const entry of Object.keys(contentsOf(copy.path))) {
    const match = /^shard_(\d{3})\/fixed.data$/.exec(entry);
    if (match === null) continue;
    const shard = Number(match[1]);
    for (const slot of copy.slotsOf(shard, STATUS_OCCUPIED)) {
      const bytes = copy.slotBytes(shard, slot).subarray(8, 8 + keyLen + valueLen);
      records.push(`${shard} ${Buffer.from(bytes).toString("hex")}`);
    }
  }
  return records.sort();
}

for (const name of FIXTURES) {
  for (const state of STATES) {
    describe(`repair of ${name}, ${state}`, () => {
      test("a healthy directory: nothing to do, not a byte changed, no file made", async () => {
        using copy = new FixtureCopy(name, state);
        const names = () => [...new Bun.Glob("**/*").scanSync({ cwd: copy.path })].sort();
        const before = [contentsOf(copy.path), names()];
        for (const words of [[], ["--apply"], ["--apply", "--yes"]]) {
          const { status, document } = await runWords(repairCommand, [
            copy.path,
            "--json",
            ...words,
          ]);
          expect({ status, verdict: document["verdict"], steps: document["steps"] }).toEqual({
            status: 0,
            verdict: "nothing-to-do",
            steps: [],
          });
        }
        expect([contentsOf(copy.path), names()]).toEqual(before);
      });

      for (const damage of DAMAGES.filter((each) => applies(each, name, state))) {
        test(damage.name, async () => {
          using copy = new FixtureCopy(name, state);
          const sound = recordsOf(copy);
          damage.harm(copy);
          const found = (await verify(copy)).findings.map((finding) => finding.kind as string);
          expect(found).toEqual(expect.arrayContaining([...damage.findings]));
          const harmed = contentsOf(copy.path);

          const planned = await runWords(repairCommand, [copy.path, "--json"]);
          const expected = expectation(damage, state);
          expect(planned.status).toBe(3);
          expect(planned.document["verdict"]).toBe(
            expected === "mended" ? "planned" : "incomplete",
          );
          expect(contentsOf(copy.path)).toEqual(harmed);

          const applied = await runWords(repairCommand, [copy.path, "--apply", "--yes", "--json"]);
          expect({
            status: applied.status,
            remaining: applied.document["remaining"],
          }).toMatchObject(expected === "mended" ? { status: 0, remaining: [] } : { status: 3 });
          if (expected === "left") {
            expect(contentsOf(copy.path)).toEqual(harmed);
            return;
          }
          expect((await verify(copy)).verdict).toBe("ok");
          if (damage.keepsContents === true) expect(recordsOf(copy)).toEqual(sound);
          else expect(sound).toEqual(expect.arrayContaining(recordsOf(copy).filter(isOld(sound))));
          const mended = contentsOf(copy.path);
          const again = await runWords(repairCommand, [copy.path, "--apply", "--yes", "--json"]);
          expect([again.status, again.document["verdict"]]).toEqual([0, "nothing-to-do"]);
          expect(contentsOf(copy.path)).toEqual(mended);

          const [journal = ""] = journalsIn(copy.path);
          const undone = await runWords(repairCommand, [copy.path, "--undo", journal, "--json"]);
          expect([undone.status, undone.document["undone"]]).toEqual([0, true]);
          expect(contentsOf(copy.path)).toEqual(harmed);
          const twice = await runWords(repairCommand, [copy.path, "--undo", journal, "--json"]);
          expect([twice.status, twice.document["verdict"]]).toEqual([0, "nothing-to-do"]);
          expect(contentsOf(copy.path)).toEqual(harmed);
        });
      }
    });
  }
}

/** A record that the damage itself wrote is not held against the repair. */
function isOld(sound: readonly string[]): (record: string) => boolean {
  return (record) => sound.includes(record) || !record.endsWith("09".repeat(3));
}
