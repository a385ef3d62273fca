// The last words of a follower: by what it knows of its shards, whether or not the state file could be saved.

import { expect, test } from "bun:test";
import { type Ending, endStatus } from "../../src/cli/commands/follower-end.ts";
import type { FollowDisplay } from "../../src/cli/render/follow-display.ts";
import type { Supervisor } from "../../src/replica/supervisor.ts";
import { RecordingDisk } from "../support/recording-disk.ts";
import { snapshotOf } from "../status/facts.ts";

/** How a follower of two shards ends that was told to stop; no state file lies there. */
function ended(complete: readonly (boolean | null)[], failure: string | null) {
  const warned: string[] = [];
  const told: unknown[] = [];
  const disk = new RecordingDisk(() => 0);
  disk.makeDirectory("/replica");
  const snapshots = complete.map((one, shard) => snapshotOf({ shard, complete: one }));
  const supervisor: Pick<Supervisor, "geometry" | "snapshots" | "saved" | "leader"> = {
    geometry: { shardCount: 2, shardPrefixBits: 0, keyLen: 8, valueLen: 16 },
    ...{ snapshots, leader: "db:7400", saved: { failure, atMs: null } },
  };
  const messages = { warn: (text: string) => void warned.push(text) };
  const display = { summary: (...words: unknown[]) => void told.push(words) };
  const status = endStatus({
    context: { disk, messages } as unknown as Ending["context"],
    display: display as unknown as FollowDisplay,
    supervisor: supervisor as Supervisor,
    ...{ error: null, timedOut: null, finished: false, dir: "/replica", once: false, isNew: true },
  });
  return { status, told, warned };
}

test.each([
  ["complete", [true, true], false],
  ["not, as one shard is not", [true, false], true],
  ["not, as one has not said anything", [true, null], true],
] as const)("a copy is %s", (_, complete, isIncomplete) => {
  expect(ended(complete, null)).toEqual({
    ...{ status: 0, warned: [] },
    told: [["stopped", { isIncomplete }]],
  });
});

test("a state file that could not be saved is said, and makes no copy incomplete", () => {
  expect(ended([true, true], "Cannot create: EISDIR")).toEqual({
    status: 0,
    told: [["stopped", { isIncomplete: false }]],
    warned: [
      "armdb.state.json is not saved, so the next start knows less of this replica: Cannot create: EISDIR",
    ],
  });
});
