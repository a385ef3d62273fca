// Looks at the sample leader's directory and at a replica of it, both perhaps in use, for the demo.
//
//   bun scripts/sample/sample-look.ts LEADER_DIR REPLICA_DIR               one line: what each holds at this moment
//   bun scripts/sample/sample-look.ts LEADER_DIR REPLICA_DIR --until-same  waits up to 10 s until both hold the same; exit 0, or 4
//
// Reads only. A slot that is being written just now fails its checksum and is passed over.

import { createHash } from "node:crypto";
import { parseArgs } from "node:util";
import { decodeSlot, type Slot, slotCrc, STATUS_OCCUPIED } from "../../src/format/slot.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { ServedDirectory } from "../../src/serve/served-database.ts";

const WATCHED_COUNTER = "counter:views/cart";
const SAME_WITHIN_MS = 10_000;
const LOOK_INTERVAL_MS = 100;
const EXIT_DIFFERS = 4;

interface Look {
  readonly records: number;
  /** The counter that the demo shows. */
  readonly views: string;
  readonly digest: string;
}

function look(dir: string): Look {
  const directory = ServedDirectory.open(realDisk, dir);
  const records: [string, string][] = [];
  for (let shard = 0; shard < directory.shardCount; shard++) {
    for (const { key, value } of liveSlots(directory, shard)) {
      records.push([Buffer.from(key).toString("latin1"), Buffer.from(value).toString("latin1")]);
    }
  }
  directory.close();
  records.sort(([left], [right]) => (left < right ? -1 : 1));
  const hash = createHash("sha256");
  for (const [key, value] of records) hash.update(key, "latin1").update(value, "latin1");
  const counter = records.find(([key]) => text(key) === WATCHED_COUNTER);
  return {
    records: records.length,
    views: counter === undefined ? "0" : text(counter[1]),
    digest: hash.digest("hex").slice(0, 16),
  };
}

function* liveSlots(directory: ServedDirectory, shard: number): Generator<Slot> {
  const { layout } = directory;
  const slots = new Uint8Array(directory.slotCount(shard) * layout.slotSize);
  directory.readSlots(shard, 0, slots);
  for (let offset = 0; offset < slots.length; offset += layout.slotSize) {
    const image = slots.subarray(offset, offset + layout.slotSize);
    const slot = decodeSlot(image, layout);
    if (slot.status === STATUS_OCCUPIED && slot.crcStored === slotCrc(image, layout)) yield slot;
  }
}

function text(padded: string): string {
  const end = padded.indexOf("\0");
  return end === -1 ? padded : padded.slice(0, end);
}

function line(name: string, { records, views }: Look): string {
  return `${name} ${records} records, ${views} views of /cart`;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { "until-same": { type: "boolean", default: false } },
});
const [leaderDir, replicaDir] = positionals;
if (leaderDir === undefined || replicaDir === undefined) {
  throw new Error("two directories are needed: the leader's and the replica's");
}

const beganMs = performance.now();
for (;;) {
  // The replica first: what it holds by then the leader holds too.
  const replica = look(replicaDir);
  const leader = look(leaderDir);
  if (!values["until-same"]) {
    console.log(`${line("leader", leader)}  |  ${line("replica", replica)}`);
    break;
  }
  if (leader.digest === replica.digest) {
    console.log(
      `leader and replica hold the same ${leader.records} records (digest ${leader.digest})`,
    );
    break;
  }
  if (performance.now() - beganMs > SAME_WITHIN_MS) {
    console.log(
      `leader and replica differ: ${line("leader", leader)}, ${line("replica", replica)}`,
    );
    process.exitCode = EXIT_DIFFERS;
    break;
  }
  await Bun.sleep(LOOK_INTERVAL_MS);
}
