// DIR/armdb.sock on the real file system: its mode and owner, long paths, what a killed predecessor leaves, what somebody plants.

import { afterAll, afterEach, describe, expect, test } from "bun:test";
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { ArmdbError } from "../../src/errors.ts";
import { controlSockets } from "../../src/io/control-socket.ts";
import type { Listener } from "../../src/io/net.ts";
import { realNet } from "../../src/io/sockets.ts";
import { type LineEnd, lineSockets } from "../../src/io/unix-socket.ts";
import { modeOf, TempRoot } from "../support/temp.ts";
import { need } from "../support/needs.ts";

const QUEUE_BYTES_MAX = 10 * 1024 * 1024;
const listeners: Listener[] = [];
const temp = new TempRoot("control");
afterEach(() => {
  for (const listener of listeners.splice(0)) listener.stop();
});
afterAll(() => temp[Symbol.dispose]());

/** Echoes what it gets. */
function listen(path: string, owner: { uid: number; gid: number } | null = null): Listener {
  const listener = controlSockets(realNet).listen({
    path,
    owner,
    sendQueueBytesMax: QUEUE_BYTES_MAX,
    accept: () => ({
      opened: () => {},
      received: (link, chunk) => link.send(chunk.slice()),
      ended: () => {},
    }),
  });
  listeners.push(listener);
  return listener;
}

function fresh(): string {
  const dir = temp.fresh();
  mkdirSync(dir);
  return join(dir, "armdb.sock");
}

/** One line there and back, or how it ended. */
function ask(path: string, word: string): Promise<string | LineEnd> {
  return new Promise((resolve) => {
    const link = lineSockets(realNet).connect(path, QUEUE_BYTES_MAX, {
      opened: (opened) => opened.send(word),
      line: (text) => {
        resolve(text);
        link.close();
      },
      ended: (end) => resolve(end),
    });
  });
}

function refusal(path: string): ArmdbError {
  try {
    listen(path);
  } catch (thrown) {
    if (thrown instanceof ArmdbError) return thrown;
    throw thrown;
  }
  throw new Error("it was not refused");
}

describe("the control socket", () => {
  test("is 0600 whatever the umask, answers, and is gone when it stops", async () => {
    const path = fresh();
    const umaskBefore = process.umask(0);
    try {
      const listener = listen(path);
      expect(process.umask(0)).toBe(0);
      expect(modeOf(path)).toBe("600");
      expect(await ask(path, "hello")).toBe("hello");
      listener.stop();
      expect(existsSync(path)).toBe(false);
    } finally {
      process.umask(umaskBefore);
    }
  });

  test("carries megabytes both ways", async () => {
    const path = fresh();
    listen(path);
    const word = "0123456789".repeat(500_000);
    expect(await ask(path, word)).toBe(word);
  });

  test("may lie deeper than the 108 bytes of a socket's name", async () => {
    const dir = join(temp.fresh(), "d".repeat(200), "e".repeat(200));
    mkdirSync(dir, { recursive: true });
    const path = join(dir, "armdb.sock");
    const listener = listen(path);
    expect([lstatSync(path).isSocket(), modeOf(path)]).toEqual([true, "600"]);
    expect(await ask(path, "far")).toBe("far");
    listener.stop();
    expect(existsSync(path)).toBe(false);
  });

  test("takes the place of one that a killed process left", async () => {
    const path = fresh();
    const script = `Bun.listen({ unix: ${JSON.stringify(path)}, socket: { data() {} } }); console.log("up"); setInterval(() => {}, 1000);`;
    const child = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe" });
    await child.stdout.getReader().read();
    child.kill("SIGKILL");
    await child.exited;
    expect(lstatSync(path).isSocket()).toBe(true);
    expect(await ask(path, "anybody?")).toEqual({ kind: "not-connected", reason: "ECONNREFUSED" });
    listen(path);
    expect(await ask(path, "again")).toBe("again");
  });

  const planted: [string, (path: string, target: string) => void][] = [
    ["symbolic link", (path, target) => symlinkSync(target, path)],
    ["symbolic link", (path) => symlinkSync("/nowhere/at/all", path)],
    ["file", (path, target) => linkSync(target, path)],
    ["directory", (path) => mkdirSync(path)],
    ["FIFO", (path) => void Bun.spawnSync(["mkfifo", path])],
  ];
  for (const [index, [kind, plant]] of planted.entries()) {
    test(`is refused where a ${kind} lies, which stays as it is (${index})`, () => {
      const path = fresh();
      const target = join(temp.fresh());
      writeFileSync(target, "precious");
      plant(path, target);
      const before = lstatSync(path);
      const error = refusal(path);
      expect([error.code, error.message]).toEqual([
        "storage",
        expect.stringContaining(`a ${kind}`),
      ]);
      expect(error.details.hint).toContain("ls -l");
      const after = lstatSync(path);
      expect([after.ino, after.mode]).toEqual([before.ino, before.mode]);
      expect(readFileSync(target, "utf8")).toBe("precious");
    });
  }

  test("is refused where the directory is missing", () => {
    expect(refusal(join(temp.fresh(), "armdb.sock")).code).toBe("storage");
  });

  test.if(need("root", process.getuid?.() === 0))("is given to the owner of the directory", () => {
    const path = fresh();
    listen(path, { uid: 12_345, gid: 12_346 });
    const stats = lstatSync(path);
    expect([stats.uid, stats.gid, modeOf(path)]).toEqual([12_345, 12_346, "600"]);
  });
});
