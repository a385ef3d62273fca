// A program: a leader that begins a scan and then says nothing, as one does that reads through millions of free slots. Prints its
// port, one JSON line, and stays until its stdin ends. For tests that need it in a network of its own.

import { packMeta, slotLayout, STATUS_OCCUPIED } from "../../src/format/slot.ts";
import { realNet } from "../../src/io/sockets.ts";
import { realClock } from "../../src/io/time.ts";
import { encodeShardInfo } from "../../src/wire/messages.ts";
import { batchFrame, scriptedSlot } from "./leader-scripts.ts";
import { ScriptedLeader } from "./scripted-leader.ts";

const layout = slotLayout(8, 16);
const info = { ...layout, shardCount: 1, slotCount: 100, shardPrefixBits: 0 };

const leader = new ScriptedLeader(
  realNet,
  realClock,
  () =>
    function* (peer) {
      const { shardId } = yield* peer.request();
      peer.send(encodeShardInfo(info));
      const key = new Uint8Array(8);
      const slot = scriptedSlot(0, packMeta(STATUS_OCCUPIED, 1), layout, key, new Uint8Array(16));
      peer.send(batchFrame(shardId, layout, [slot]));
      yield* peer.untilEnd();
    },
);
console.log(JSON.stringify({ port: leader.port }));
for await (const _ of Bun.stdin.stream()) continue;
process.exit(0);
