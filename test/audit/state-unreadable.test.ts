// A state file that is there and cannot be understood is a note, and the copy is then neither complete nor incomplete; one that
// cannot be read is unknown. Whatever lies at that name, nothing breaks.

import { describe, expect, test } from "bun:test";
import { mkdirSync, symlinkSync } from "node:fs";
import { inspectCommand } from "../../src/cli/commands/inspect.ts";
import { inspectShardCommand } from "../../src/cli/commands/inspect-shard.ts";
import { statusCommand } from "../../src/cli/commands/status.ts";
import { verifyCommand } from "../../src/cli/commands/verify.ts";
import { DiskError } from "../../src/io/disk.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { leaveCopyState } from "../support/copy-state.ts";
import { runCommand } from "../support/run-command.ts";
import { failingDisk } from "./failing-disk.ts";
import { SampleDatabase } from "./sample-databases.ts";

const STATE = "armdb.state.json";
/** Deeper than a writer of JSON may go down, and within the bytes that are read. */
const DEPTH = 60_000;

const NONSENSE: readonly [string, (db: SampleDatabase) => void][] = [
  ["an empty file", (db) => db.write(STATE, "")],
  ["half a file", (db) => db.write(STATE, '{"leader":"10.0.0.5:7400","shards":[{"shard":0,')],
  ["a state without a leader", (db) => db.write(STATE, '{"shards":[{"shard":0,"complete":true}]}')],
  ["a list", (db) => db.write(STATE, "[]")],
  ["bytes", (db) => db.write(STATE, Buffer.from([0, 0xff, 0xfe, 1]))],
  ["more than is read", (db) => db.write(STATE, `{"leader":"a:1"${" ".repeat(1024 * 1024)}}`)],
  ["a link", (db) => symlinkSync("/etc/passwd", db.file(STATE))],
  ["a directory", (db) => mkdirSync(db.file(STATE))],
];

describe("a state file that cannot be understood", () => {
  for (const [what, make] of NONSENSE) {
    test(`is a note: ${what}`, async () => {
      using db = new SampleDatabase("8x16-2-shards", "follower-clean");
      make(db);
      const runs = [
        await runCommand(verifyCommand, [db.path, "--json"]),
        await runCommand(inspectCommand, [db.path, "--json"]),
        await runCommand(inspectShardCommand, [db.path, "0", "--json"]),
      ];
      for (const { status, documents } of runs) {
        expect(status).toBe(0);
        expect(documents).toMatchObject([
          {
            verdict: "ok",
            complete: null,
            findings: [{ kind: "state-unreadable", severity: "note", shard: null, file: STATE }],
          },
        ]);
      }
    });
  }

  test("fields of others, however deep, take nothing away from ours", async () => {
    using db = new SampleDatabase("8x16-2-shards", "follower-clean");
    const deep = "[".repeat(DEPTH) + "]".repeat(DEPTH);
    const shards = '[{"shard":0,"complete":false},{"shard":1,"complete":true}]';
    db.write(STATE, `{"leader":"10.0.0.5:7400","shards":${shards},"x":${deep}}`);
    const { status, documents } = await runCommand(verifyCommand, [db.path, "--json"]);
    expect(status).toBe(4);
    expect(documents).toMatchObject([{ verdict: "incomplete", complete: false }]);
    expect((await runCommand(statusCommand, [db.path])).status).toBe(4);
  });

  test("a shard that is named twice is complete only where both say so", async () => {
    using db = new SampleDatabase("8x16-2-shards", "follower-clean");
    const shards = [
      { shard: 0, complete: true },
      { shard: 1, complete: true },
      { shard: 1, complete: false },
    ];
    db.write(STATE, JSON.stringify({ leader: "10.0.0.5:7400", shards }));
    const { documents } = await runCommand(verifyCommand, [db.path, "--json"]);
    expect(documents).toMatchObject([{ complete: false, findings: [{ shard: 1 }] }]);
  });
});

test("a state file that cannot be read is unknown, exit 5", async () => {
  for (const errno of ["EIO", "EACCES"]) {
    using db = new SampleDatabase("8x16-2-shards", "follower-clean");
    leaveCopyState(db.path, [false, false]);
    const disk = failingDisk(realDisk, (path) =>
      path.endsWith(STATE) ? new DiskError("read", path, errno) : null,
    );
    const { status, documents } = await runCommand(verifyCommand, [db.path, "--json"], { disk });
    expect(status).toBe(5);
    expect(documents).toMatchObject([
      { verdict: "unknown", complete: null, findings: [{ kind: "unreadable", file: STATE }] },
    ]);
  }
});
