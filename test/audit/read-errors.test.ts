// A call of the disk that fails with EIO, whichever of all calls it is: what could not be read is never called sound.

import { describe, expect, test } from "bun:test";
import { inspectCommand } from "../../src/cli/commands/inspect.ts";
import { inspectKeyCommand } from "../../src/cli/commands/inspect-key.ts";
import { inspectShardCommand } from "../../src/cli/commands/inspect-shard.ts";
import { repairCommand } from "../../src/cli/commands/repair.ts";
import { verifyCommand } from "../../src/cli/commands/verify.ts";
import { verifyCursorCommand } from "../../src/cli/commands/verify-cursor.ts";
import { type Disk, DiskError } from "../../src/io/disk.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { runCommand } from "../support/run-command.ts";
import { failingDisk } from "./failing-disk.ts";
import { SampleDatabase } from "./sample-databases.ts";

/** The real disk, whose n-th read, open, list or look fails, and the same again from then on: of a read, each over that byte. */
class FailingFrom {
  /** What failed first; null: there were fewer calls. */
  failed: string | null = null;
  readonly #nth: number;
  #calls = 0;
  #isBad: (call: string, path: string, start: number, end: number) => boolean = () => false;

  constructor(nth: number) {
    this.#nth = nth;
  }

  get disk(): Disk {
    const reading = failingDisk(realDisk, (path, start, end) => {
      this.#pass("read", path, start, end);
      return null;
    });
    return {
      ...reading,
      open: (path, mode, permissions) => {
        this.#pass("open", path);
        return reading.open(path, mode, permissions);
      },
      list: (path) => {
        this.#pass("list", path);
        return realDisk.list(path);
      },
      facts: (path) => {
        this.#pass("lstat", path);
        return realDisk.facts(path);
      },
    };
  }

  #pass(call: string, path: string, start = 0, end = 1): void {
    this.#calls += 1;
    if (this.#calls === this.#nth) {
      this.failed = `${call} ${path} at ${start}`;
      this.#isBad = (...[asked, where, from, to]) =>
        asked === call && where === path && from <= start && start < to;
    }
    if (this.#isBad(call, path, start, end)) throw new DiskError(call, path, "EIO");
  }
}

/** With the calls that each command rests on, and where a directory has what it asks about. */
const COMMANDS = [
  [verifyCommand, [], /./, "leader-clean"],
  [verifyCommand, [], /./, "follower-clean"],
  [inspectCommand, [], /./, "leader-clean"],
  // Whose a new file would be is no matter of what is there.
  [repairCommand, [], /^(?!lstat .*db.meta)/, "leader-clean"],
  // Headers and no slots: where keys lie is not looked at.
  [verifyCommand, ["--quick"], /^(?!open .*fixed.data|read .*fixed.data at 4096)/, "leader-clean"],
  // A slot that is hidden changes nothing where others have the version that the cursor has seen.
  [verifyCursorCommand, [], /cursor|open .*fixed.data/, "follower-clean"],
  [inspectShardCommand, ["0"], /shard_000\/|state/, "follower-clean"],
  [inspectKeyCommand, ["u64be:2"], /shard_000\/fixed.data/, "leader-clean"],
] as const;

/** Directories in which everything that is read has something to be read for. */
const CASES: readonly [string, (db: SampleDatabase) => void][] = [
  ["a sound directory", () => {}],
  [
    "a long file, a reset log and a state file",
    (db) => {
      db.write(
        "shard_000/fixed.data",
        Buffer.concat([db.read("shard_000/fixed.data"), Buffer.alloc(96)]),
      );
      db.write("armdb-reset-000.log", "{}\n");
      db.write("armdb.state.json", "{}");
    },
  ],
];

describe("one call of the disk that fails", () => {
  for (const [command, words, needed, state] of COMMANDS) {
    for (const [what, prepare] of CASES) {
      const name = [command.spec.name, ...words].join(" ");
      test(`${name} of ${what}, ${state}: never 0, for every one of its calls`, async () => {
        using db = new SampleDatabase("8x16-2-shards", state);
        prepare(db);
        const args = [db.path, ...words, "--json"];
        const sound = await runCommand(command, args, { disk: new FailingFrom(0).disk });
        expect(sound.status).toBe(0);
        const fine: string[] = [];
        for (let nth = 1; ; nth++) {
          const failing = new FailingFrom(nth);
          const { status } = await runCommand(command, args, { disk: failing.disk });
          const { failed } = failing;
          if (failed === null) break;
          if (status === 0 && needed.test(failed)) {
            fine.push(`${nth}: ${failed.replace(db.path, "DIR")}`);
          }
        }
        expect(fine).toEqual([]);
      });
    }
  }
});

test("a slot that cannot be read again, when its key may be here twice, is unreadable", async () => {
  using db = new SampleDatabase("8x16-2-shards", "leader-dirty");
  const slotAt = (slot: number) => 4096 + slot * 32;
  db.change("shard_000/fixed.data", (bytes) =>
    bytes.copy(bytes, slotAt(127), slotAt(5), slotAt(6)),
  );
  const disk = failingDisk(realDisk, (path, start, end) =>
    start === slotAt(127) && end === slotAt(128) ? new DiskError("read", path, "EIO") : null,
  );
  const { status, documents } = await runCommand(verifyCommand, [db.path, "--json"], { disk });
  expect(status).toBe(5);
  expect(documents).toMatchObject([
    {
      findings: [
        {
          kind: "unreadable",
          slot: 127,
          count: 1,
          message: "cannot be read again: EIO; whether a key is here twice is not known",
        },
      ],
    },
  ]);
});
