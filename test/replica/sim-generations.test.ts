// A leader that is upgraded or set back under the follower, in simulated time: all pairs of generations, while it runs and over a
// restart of the follower. Whichever of both protocols the leader names is spoken next, and remembered once it has proved right.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { SIM_DIR } from "../support/sim-follower.ts";
import { type Generation, GENERATIONS, SimLeader } from "../support/sim-leader.ts";
import { SimStage } from "../support/sim-stage.ts";

// Simulated time is quick; a busy machine is not.
setDefaultTimeout(60_000);

const SLOTS = 200;
const PAIRS = GENERATIONS.flatMap((before) => GENERATIONS.map((after) => ({ before, after })));

/** The leader's data and port with another program over it. */
function replaceBy(stage: SimStage, generation: Generation): SimLeader {
  stage.leader.stop();
  const { net, clock, leader } = stage;
  const options = { net, clock, generation, slots: SLOTS, port: leader.port };
  const next = new SimLeader(options);
  next.shards = leader.shards;
  for (const shard of next.shards) {
    Object.assign(shard, { ring: [], overflowed: false, streamTaken: false, streaming: null });
  }
  return next;
}

/** What armdb.state.json remembers. */
function savedProtocol(stage: SimStage): unknown {
  const bytes = stage.disk.bytes(`${SIM_DIR}/armdb.state.json`);
  if (bytes === null) return null;
  return (JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>)["protocol"];
}

function filled(generation: Generation): SimStage {
  const stage = new SimStage({ generation, slots: SLOTS });
  for (let slot = 0; slot < SLOTS; slot++) stage.leader.put(0, slot, 1);
  return stage;
}

describe.each(PAIRS)("a leader of generation $before that becomes one of $after", (pair) => {
  const protocol = pair.after === 1 ? 1 : 2;

  test("is followed on while the follower runs", () => {
    const stage = filled(pair.before);
    const follower = stage.follow();
    stage.until("live", () => follower.states().at(-1) === "live", 60_000);
    const after = replaceBy(stage, pair.after);
    const from = follower.states().length;
    stage.until("live again", () => follower.states().slice(from).includes("live"), 35_000);
    after.put(0, 3, 9);
    stage.clock.advance(1_000);
    expect(stage.differences()).toEqual([]);
    expect(follower.ended).toBeUndefined();
    follower.supervisor.stop();
    stage.until("ended", () => follower.ended !== undefined, 10_000);
    expect(savedProtocol(stage)).toBe(protocol);
  });

  test("is followed by the next run, and by one with --once", () => {
    const stage = filled(pair.before);
    const first = stage.follow({ settings: { once: true } });
    stage.until("done", () => first.ended !== undefined, 60_000);
    replaceBy(stage, pair.after);
    const second = stage.follow({ settings: { once: true } });
    stage.until("done again", () => second.ended !== undefined, 60_000);
    expect(second.ended).toBeNull();
    expect(savedProtocol(stage)).toBe(protocol);
  });
});

test("a peer that names the other protocol each time is tried again with pauses, not in a loop", () => {
  const stage = new SimStage({ generation: 3 });
  stage.leader.stop();
  let connects = 0;
  const liar = stage.net.listen({
    host: "127.0.0.1",
    port: stage.leader.port,
    sendQueueBytesMax: 1_000_000,
    accept: () => {
      connects++;
      return {
        opened: () => {},
        received: (link, chunk) => {
          const spoken = chunk[6] ?? 0;
          const text = `protocol version mismatch: leader ${3 - spoken}, follower ${spoken}`;
          const bytes = new TextEncoder().encode(text);
          const frame = new Uint8Array(5 + bytes.length);
          frame[0] = 255;
          new DataView(frame.buffer).setUint32(1, bytes.length, true);
          frame.set(bytes, 5);
          link.send(frame);
          link.close();
        },
        ended: () => {},
      };
    },
  });
  const follower = stage.follow();
  stage.clock.advance(60_000);
  expect(connects).toBeLessThan(20);
  expect(follower.ended).toBeUndefined();
  liar.stop();
});
