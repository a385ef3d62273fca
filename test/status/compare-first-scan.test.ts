// A comparison that is asked for while the first scan runs: the records that have not come yet are no difference. In simulated time, at
// a hundred moments with each generation.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { FollowerCompareRun } from "../../src/status/follower-compare.ts";
import { GENERATIONS } from "../support/sim-leader.ts";
import { SimStage } from "../support/sim-stage.ts";

// Simulated time is quick; a busy machine is not.
setDefaultTimeout(60_000);

const SLOTS = 600;
const MOMENTS = 100;

interface Document {
  readonly verdict: string;
  readonly differences: readonly unknown[];
}

describe.each(GENERATIONS)("a comparison in the first scan, generation %d", (generation) => {
  test("finds no difference, whenever it is asked for", () => {
    const found: string[] = [];
    for (let moment = 0; moment < MOMENTS; moment++) {
      const stage = new SimStage({ generation });
      for (let slot = 0; slot < SLOTS; slot++) stage.leader.put(0, slot, 1);
      stage.net.onConnection = ({ toConnector }) => void (toConnector.delayMs = 20);
      const follower = stage.follow();
      // From before the first frame to past the scan's verdict.
      stage.clock.advance(20 + moment * 4);
      let document: Document | null = null;
      new FollowerCompareRun({
        supervisor: follower.supervisor,
        clock: stage.clock,
        order: { rounds: 1, waitMs: 2_000, shards: [0] },
        progress: () => {},
        done: (done) => {
          document = JSON.parse([...done.document()].join("")) as Document;
        },
      }).start();
      stage.until("the document", () => document !== null, 300_000);
      const { verdict, differences } = document as unknown as Document;
      if (verdict !== "same" || differences.length > 0) found.push(`${moment}: ${verdict}`);
      expect(follower.log.filter((text) => text.includes("differ"))).toEqual([]);
    }
    expect(found).toEqual([]);
  });
});
