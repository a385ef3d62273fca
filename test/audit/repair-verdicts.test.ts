// verify and repair agree: a repair without --apply ends as verify does, or with 3 where it has steps; after --apply both end
// alike, and the same command again ends alike. Held over every kind of damage, and over what may stand in place of a file.

import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdirSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { repairCommand } from "../../src/cli/commands/repair.ts";
import { verifyCommand } from "../../src/cli/commands/verify.ts";
import { CURSOR_FILE } from "../../src/format/cursor.ts";
import { type Disk, DiskError } from "../../src/io/disk.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { DAMAGES } from "./repair-damages.ts";
import { FixtureCopy, runWords } from "./repair-support.ts";

const STATES = ["leader-clean", "leader-dirty", "follower-clean"] as const;
/** As the real one, but without threads and without a search of /proc. */
const QUIET_DISK: Disk = { ...realDisk };

interface Ends {
  readonly verified: number;
  readonly planned: number;
  readonly steps: number;
}

async function look(path: string, disk: Disk, scope: readonly string[] = []): Promise<Ends> {
  const verified = await runWords(verifyCommand, [path, ...scope, "--json"], { disk });
  const planned = await runWords(repairCommand, [path, ...scope, "--json"], { disk });
  const steps = planned.document["stepsTotal"] as number;
  return { verified: verified.status, planned: planned.status, steps };
}

/** Holds the promise of this file against a directory, whatever is wrong with it. */
async function expectAgreement(
  path: string,
  disk: Disk = QUIET_DISK,
  scope: readonly string[] = [],
): Promise<void> {
  const before = await look(path, disk, scope);
  expect(before.planned).toBe(before.steps > 0 ? 3 : before.verified);
  const words = [path, ...scope, "--apply", "--yes", "--json"];
  const applied = await runWords(repairCommand, words, { disk });
  const after = await look(path, disk, scope);
  expect(applied.status).toBe(after.verified);
  // What is left stays left: it does not become fine by asking twice.
  expect(after.planned).toBe(after.verified);
  expect((await runWords(repairCommand, words, { disk })).status).toBe(after.verified);
  for (const { reason, hint } of applied.document["left"] as { reason: string; hint: string }[]) {
    expect([reason, hint]).not.toContain("");
    expect(hint).not.toMatch(/\bDIR\b/);
  }
}

describe("verify and repair end alike", () => {
  for (const state of STATES) {
    for (const damage of DAMAGES) {
      if (damage.followerOnly === true && state !== "follower-clean") continue;
      // A damage of the table may need a sidecar in use.
      if (state === "leader-dirty" && damage.findings.includes("sidecar-hides-slot")) continue;
      test(`${state}: ${damage.name}`, async () => {
        using copy = new FixtureCopy("8x16-2-shards", state);
        damage.harm(copy);
        await expectAgreement(copy.path);
      });
    }

    for (const shard of ["0", "1"]) {
      test(`${state}: any damage, seen through --shard ${shard}`, async () => {
        for (const damage of DAMAGES) {
          if (damage.followerOnly === true && state !== "follower-clean") continue;
          using copy = new FixtureCopy("8x16-2-shards", state);
          damage.harm(copy);
          await expectAgreement(copy.path, QUIET_DISK, ["--shard", shard]);
        }
      });
    }

    test(`${state}: nothing is wrong`, async () => {
      using copy = new FixtureCopy("8x16-2-shards", state);
      await expectAgreement(copy.path);
    });
  }

  for (const version of [0x8000_0000, 0x4000_0000, 0xffff_ffff]) {
    test(`a cursor that has seen version ${version} is written anew from the data`, async () => {
      using copy = new FixtureCopy("8x16-2-shards", "follower-clean");
      const bytes = new Uint8Array(4);
      new DataView(bytes.buffer).setUint32(0, version, true);
      copy.poke(copy.file(0, CURSOR_FILE), 12, bytes);
      expect(await look(copy.path, QUIET_DISK)).toMatchObject({
        verified: 3,
        planned: 3,
        steps: 1,
      });
      await expectAgreement(copy.path);
      expect(await look(copy.path, QUIET_DISK)).toEqual({ verified: 0, planned: 0, steps: 0 });
    });
  }
});

const NAMES = [
  "db.meta",
  "shard_000",
  "shard_000/fixed.data",
  "shard_000/fixed.versions",
  "shard_000/fixed_repl.cursor",
] as const;

/** Puts something else in place of a file. */
const KINDS: Readonly<Record<string, (path: string) => void>> = {
  "a link": (path) => {
    renameSync(path, `${path}-moved`);
    symlinkSync(`${path}-moved`, path);
  },
  "a link to nothing": (path) => {
    rmSync(path, { recursive: true });
    symlinkSync("/nonexistent/armdb", path);
  },
  "a directory": (path) => {
    rmSync(path, { recursive: true });
    mkdirSync(path);
  },
  "a FIFO": (path) => {
    rmSync(path, { recursive: true });
    expect(spawnSync("mkfifo", [path]).status).toBe(0);
  },
  nothing: (path) => {
    rmSync(path, { recursive: true });
  },
};

async function socketAt(path: string): Promise<Server> {
  rmSync(path, { recursive: true });
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return server;
}

/** A disk on which a name below `root` may be seen and not read. */
function forbidding(root: string, name: string): Disk {
  const refuse = (call: string, path: string) => {
    if (path === `${root}/${name}`) throw new DiskError(call, path, "EACCES");
  };
  return {
    ...realDisk,
    open(path, mode, permissions) {
      refuse("open", path);
      return realDisk.open(path, mode, permissions);
    },
    list(path) {
      refuse("list", path);
      return realDisk.list(path);
    },
  };
}

describe("verify and repair end alike where a file is something else", () => {
  for (const name of NAMES) {
    for (const [kind, harm] of Object.entries(KINDS)) {
      test(`${kind} at ${name}`, async () => {
        using copy = new FixtureCopy("8x16-2-shards", "follower-clean");
        harm(`${copy.path}/${name}`);
        await expectAgreement(copy.path);
      });
    }

    test(`a socket at ${name}`, async () => {
      using copy = new FixtureCopy("8x16-2-shards", "follower-clean");
      const server = await socketAt(`${copy.path}/${name}`);
      try {
        await expectAgreement(copy.path);
      } finally {
        await new Promise((resolve) => server.close(resolve));
      }
    });

    test(`no permission for ${name}`, async () => {
      using copy = new FixtureCopy("8x16-2-shards", "follower-clean");
      const disk = forbidding(copy.path, name);
      expect((await look(copy.path, disk)).verified).toBe(5);
      await expectAgreement(copy.path, disk);
    });
  }
});
