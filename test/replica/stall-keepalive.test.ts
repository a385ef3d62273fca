// A machine that is gone in the middle of a silent scan: nothing is due from the leader, so only TCP keepalive can tell. Runs in a
// network namespace of its own whose loopback is taken down; skipped where that is not allowed.

import { describe, expect, test } from "bun:test";
import { resolve } from "node:path";
import { Armdb } from "../support/armdb.ts";
import { NetworkSpace, networkSpaces } from "../support/network-space.ts";
import { TempRoot } from "../support/temp.ts";

const LIMIT_MS = 150_000;
const NOTICED_MS = 20_000;
const EACH_SECOND = ["--progress", "1s"];

describe.if(networkSpaces())("a leader whose machine is gone during a silent scan", () => {
  test(
    "is noticed within 20 s by keepalive, and not before it is gone",
    async () => {
      using temp = new TempRoot("keepalive");
      await using space = await NetworkSpace.make();
      const { inside } = space;
      space.loopback("up");
      const program = resolve(import.meta.dir, "../support/silent-leader.ts");
      const leader = Bun.spawn([...inside, process.execPath, program], {
        stdin: "pipe",
        stdout: "pipe",
      });
      const { port } = JSON.parse(await firstLine(leader.stdout)) as { port: number };
      await using follower = Armdb.replicate(
        `127.0.0.1:${port}`,
        temp.fresh("replica"),
        EACH_SECOND,
        {
          launcher: inside,
          limitMs: LIMIT_MS,
        },
      );
      await follower.line({ type: "shard", state: "scanning" });
      // Longer than any deadline for a frame: 15 s.
      for (let second = 0; second < 18; second++) {
        await follower.line({ type: "progress" }, follower.mark);
      }
      const from = follower.mark;
      expect(follower.lines.filter((line) => line.type === "shard").at(-1)?.["state"]).toBe(
        "scanning",
      );
      space.loopback("down");
      const lost = await follower.line(
        ({ type, state }) => type === "shard" && (state === "waiting" || state === "stalled"),
        from,
        NOTICED_MS,
      );
      expect(String(lost["detail"])).toMatch(/ETIMEDOUT|timed out|the connection broke/);
      space.loopback("up");
      await follower.line({ type: "shard", state: "scanning" }, from, 40_000);
      leader.kill("SIGKILL");
      await leader.exited;
    },
    LIMIT_MS,
  );
});

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  let text = "";
  for await (const chunk of stream) {
    text += new TextDecoder().decode(chunk);
    if (text.includes("\n")) return text.slice(0, text.indexOf("\n"));
  }
  throw new Error("ended without a line");
}
