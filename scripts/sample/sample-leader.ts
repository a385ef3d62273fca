// A leader to try armdb against: owns a directory, keeps changing it (sessions and counters of a shop) and serves it, as a
// program on the real crate would, protocols 1 and 2.
//
//   bun scripts/sample/sample-leader.ts --data DIR [--listen 127.0.0.1:0] [--rate 500] [--sessions 20000] [--shards 4]
//
// Says {"type":"listening","at":"host:port"} on stdout once followers may come. SIGUSR1 stops the changes and nothing else.
// SIGTERM or SIGINT: the changes stop, live followers get the last of them, sidecar and flag are written, then
// {"type":"stopped",...} and exit 0.

import { parseArgs } from "node:util";
import { realDisk } from "../../src/io/real-disk.ts";
import { realNet } from "../../src/io/sockets.ts";
import { realClock } from "../../src/io/time.ts";
import { parseListenAddress } from "../../src/io/address.ts";
import { LeaderServer } from "../../src/serve/server.ts";
import { SampleData } from "./sample-data.ts";
import { SampleStore } from "./sample-store.ts";

const KEY_BYTES = 24;
const VALUE_BYTES = 64;
const GROW_STEP_SLOTS = 4096;
const TICK_MS = 20;

const { values } = parseArgs({
  options: {
    data: { type: "string" },
    listen: { type: "string", default: "127.0.0.1:0" },
    /** Things that happen a second, each two or three changes. */
    rate: { type: "string", default: "500" },
    sessions: { type: "string", default: "20000" },
    shards: { type: "string", default: "4" },
  },
});

function wholeNumber(name: "rate" | "sessions" | "shards", max: number): number {
  const number = Number(values[name]);
  if (!Number.isInteger(number) || number < 0 || number > max) {
    throw new Error(`--${name} must be a whole number up to ${max}`);
  }
  return number;
}

function say(document: Record<string, unknown>): void {
  console.log(JSON.stringify(document));
}

if (values.data === undefined) throw new Error("--data DIR is missing");
const store = SampleStore.open(realDisk, values.data, {
  shards: Math.max(1, wholeNumber("shards", 255)),
  shardPrefixBits: 0,
  keyLen: KEY_BYTES,
  valueLen: VALUE_BYTES,
  growStep: GROW_STEP_SLOTS,
});
const data = new SampleData(store, wholeNumber("sessions", 10_000_000));
data.fill();

const { host, port } = parseListenAddress(values.listen);
const server = LeaderServer.start(
  { net: realNet, clock: realClock, database: store, live: store, report: () => {} },
  host,
  port,
);
const stepsPerTick = (wholeNumber("rate", 1_000_000) * TICK_MS) / 1000;
let due = 0;
const ticking = setInterval(() => {
  for (due += stepsPerTick; due >= 1; due--) data.step();
}, TICK_MS);
process.on("SIGUSR1", () => {
  clearInterval(ticking);
  say({ type: "paused", records: store.count, changes: data.changes });
});
say({ type: "listening", at: server.at, records: store.count });

await new Promise<void>((resolve) => {
  process.once("SIGTERM", () => resolve());
  process.once("SIGINT", () => resolve());
});
clearInterval(ticking);
await server.stop();
store.close();
say({ type: "stopped", records: store.count, changes: data.changes });
