// DIR/armdb.sock on the real file system: its mode and owner, long paths, what a killed predecessor leaves, what somebody plants.

import { afterAll, afterEach, describe, expect, test } from "bun:test";
import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { ArmdbError } from "../../src/errors.ts";
import {
  type ControlListener,
  type ControlListenOptions,
  controlSockets,
} from "../../src/io/control-socket.ts";
import { realNet } from "../../src/io/sockets.ts";
import { type LineEnd, lineSockets } from "../../src/io/unix-socket.ts";
import { modeOf, TempRoot } from "../support/temp.ts";
import { need } from "../support/needs.ts";

const QUEUE_BYTES_MAX = 10 * 1024 * 1024;
const listeners: ControlListener[] = [];
const temp = new TempRoot("control");
afterEach(() => {
  for (const listener of listeners.splice(0)) listener.stop();
});
afterAll(() => temp[Symbol.dispose]());

/** Echoes what it gets. */
function listen(path: string, owner: { uid: number; gid: number } | null = null): ControlListener {
  const listener = controlSockets(realNet).listen({ ...optionsOf(path), owner });
  listeners.push(listener);
  return listener;
}

function optionsOf(path: string): ControlListenOptions {
  return {
    path,
    owner: null,
    sendQueueBytesMax: QUEUE_BYTES_MAX,
    accept: () => ({
      opened: () => {},
      received: (link, chunk) => link.send(chunk.slice()),
      ended: () => {},
    }),
  };
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

  test("is made anew where it was removed or replaced, and conversations go on", async () => {
    const path = fresh();
    const listener = listen(path);
    expect(listener.renew()).toBeNull();
    const replacements: [() => void, string][] = [
      [() => rmSync(path), "removed"],
      [() => renameSync(path, `${path}.elsewhere`), "removed"],
      [() => (rmSync(path), writeFileSync(path, "precious")), "replaced"],
      [() => (rmSync(path), void controlSockets(realNet).listen(optionsOf(path))), "replaced"],
    ];
    for (const [replace, what] of replacements) {
      replace();
      expect(listener.renew()).toContain(`was ${what} and is made anew`);
      expect([lstatSync(path).isSocket(), modeOf(path)]).toEqual([true, "600"]);
      expect(await ask(path, what)).toBe(what);
      expect(listener.renew()).toBeNull();
    }
    expect(readFileSync(`${path}.moved`, "utf8")).toBe("precious");
    listener.stop();
    expect(existsSync(path)).toBe(false);
  });

  test("leaves a second stranger at its name alone, and says so", () => {
    const path = fresh();
    const listener = listen(path);
    rmSync(path);
    writeFileSync(path, "second");
    writeFileSync(`${path}.moved`, "first");
    expect(() => listener.renew()).toThrow("a file lies there");
    listener.stop();
    expect(readFileSync(path, "utf8")).toBe("second");
    expect(readFileSync(`${path}.moved`, "utf8")).toBe("first");
  });

  test("is neither made nor removed in another directory of that name", () => {
    const path = fresh();
    const listener = listen(path);
    renameSync(dirname(path), `${dirname(path)}-away`);
    mkdirSync(dirname(path));
    expect(listener.renew()).toBeNull();
    expect(existsSync(path)).toBe(false);
    writeFileSync(path, "another's");
    listener.stop();
    expect(readFileSync(path, "utf8")).toBe("another's");
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
