// The sample leader as a program: what it says, what a follower gets, what it leaves behind.

import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { decodeShardHeader } from "../../src/format/shard-header.ts";
import { slotLayout } from "../../src/format/slot.ts";
import { realNet } from "../../src/io/sockets.ts";
import { realClock } from "../../src/io/time.ts";
import { sidecarFault } from "../support/sidecar.ts";
import { TempDirectory } from "./holding.ts";
import { TestFollower } from "./test-follower.ts";

const LIMIT_MS = 30_000;
const SCRIPTS = join(import.meta.dir, "../../scripts/sample");
const LAYOUT = slotLayout(24, 64);

/** Lines of a program's stdout, one JSON object each. */
async function* jsonLines(
  stdout: AsyncIterable<Uint8Array>,
): AsyncGenerator<Record<string, unknown>> {
  let rest = "";
  for await (const chunk of stdout) {
    const lines = (rest + new TextDecoder().decode(chunk)).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) yield JSON.parse(line) as Record<string, unknown>;
  }
}

test(
  "changes live, pauses on SIGUSR1, and leaves a clean directory on SIGTERM",
  async () => {
    using temp = new TempDirectory();
    const dir = join(temp.path, "leader");
    const leader = Bun.spawn(
      [
        process.execPath,
        join(SCRIPTS, "sample-leader.ts"),
        "--data",
        dir,
        "--sessions",
        "200",
        "--shards",
        "2",
      ],
      { stdout: "pipe", stderr: "inherit" },
    );
    try {
      const lines = jsonLines(leader.stdout);
      const next = async () => (await lines.next()).value as Record<string, unknown>;
      const listening = await next();
      expect(listening["type"]).toBe("listening");
      const port = Number(String(listening["at"]).split(":").at(-1));
      const follower = new TestFollower(realNet, realClock, port, {
        shard: 0,
        protocol: 2,
        flags: 1,
      });
      await follower.until(() => follower.caughtUp !== null);
      const scanned = follower.events(LAYOUT).length;
      await follower.until(() => follower.events(LAYOUT).length > scanned + 100);
      const keys = follower.events(LAYOUT).map(({ key }) => Buffer.from(key).toString("latin1"));
      expect(keys.every((key) => /^(session:\d{8}|counter:[a-z/]+)\0+$/.test(key))).toBe(true);

      leader.kill("SIGUSR1");
      expect((await next())["type"]).toBe("paused");
      leader.kill("SIGTERM");
      const stopped = await next();
      expect(stopped["type"]).toBe("stopped");
      expect(await leader.exited).toBe(0);
      await follower.until(() => follower.end !== null);
    } finally {
      leader.kill("SIGKILL");
      await leader.exited;
    }
    for (const shard of ["shard_000", "shard_001"]) {
      const header = decodeShardHeader(readFileSync(join(dir, shard, "fixed.data")));
      expect(header?.cleanShutdown).toBe(1);
      const sidecar = readFileSync(join(dir, shard, "fixed.versions"));
      expect(sidecarFault(sidecar, header?.slotCount ?? 0)).toBeNull();
    }
  },
  LIMIT_MS,
);

test(
  "its look says what both directories hold, and whether it is the same",
  async () => {
    using temp = new TempDirectory();
    const [leader, replica] = [
      temp.fixture("8x16-2-shards", "leader-clean"),
      temp.fixture("8x16-2-shards", "leader-dirty"),
    ];
    const look = async (...args: string[]) => {
      const program = Bun.spawn([process.execPath, join(SCRIPTS, "sample-look.ts"), ...args], {
        stdout: "pipe",
      });
      return { text: await new Response(program.stdout).text(), code: await program.exited };
    };
    expect(await look(leader, replica)).toEqual({
      text: "leader 198 records, 0 views of /cart  |  replica 169 records, 0 views of /cart\n",
      code: 0,
    });
    expect(await look(leader, leader, "--until-same")).toEqual({
      text: expect.stringContaining("hold the same 198 records"),
      code: 0,
    });
  },
  LIMIT_MS,
);
