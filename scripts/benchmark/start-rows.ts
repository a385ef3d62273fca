// The rows about starting: from exec to the first line on a terminal, and to the first connection.

import { rmSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { atMost, median, spread } from "./figures.ts";
import type { Measured } from "./results.ts";

const NEWLINE = 10;

/** Time from exec to the first line on a terminal, and to the first connection made. */
export async function startRows(root: string, runs: number): Promise<Measured> {
  const firstLines: number[] = [];
  const connects: number[] = [];
  for (let run = 0; run < runs; run++) {
    const { firstLineMs, connectMs } = await startOnce(join(root, "start-replica"));
    firstLines.push(firstLineMs);
    connects.push(connectMs);
  }
  const rows = [
    atMost(
      "dist/armdb: first line on a terminal after exec",
      median(firstLines),
      50,
      "ms",
      `${spread(firstLines, 0)} ms`,
    ),
    atMost(
      "dist/armdb: first connection after exec",
      median(connects),
      60,
      "ms",
      `${spread(connects, 0)} ms`,
    ),
  ];
  return { rows, rounds: runs };
}

async function startOnce(replica: string): Promise<{ firstLineMs: number; connectMs: number }> {
  const connected = Promise.withResolvers<number>();
  const server = createServer((socket) => {
    connected.resolve(performance.now());
    socket.on("error", () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const shown = Promise.withResolvers<number>();
  const startedMs = performance.now();
  const child = Bun.spawn(["dist/armdb", "replicate", `127.0.0.1:${port}`, "--data", replica], {
    terminal: {
      data(_terminal, bytes) {
        if (bytes.includes(NEWLINE)) shown.resolve(performance.now());
      },
    },
  });
  const firstLineMs = (await shown.promise) - startedMs;
  const connectMs = (await connected.promise) - startedMs;
  child.kill("SIGKILL");
  await child.exited;
  child.terminal?.close();
  server.close();
  rmSync(replica, { recursive: true, force: true });
  return { firstLineMs, connectMs };
}
