// What repair says to a person: commands that can be pasted, whatever the directory is called, and a name that was mistyped.

import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { cpSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compareCommand } from "../../src/cli/commands/compare.ts";
import { repairCommand } from "../../src/cli/commands/repair.ts";
import { statusCommand } from "../../src/cli/commands/status.ts";
import { STATUS_INVALID } from "../../src/format/slot.ts";
import { type Disk, DiskError } from "../../src/io/disk.ts";
import { realDisk } from "../../src/io/real-disk.ts";
import { fixtureDirectory } from "../serve/fixtures.ts";
import { DatabaseFiles, journalsIn, LAYOUTS, runWords, TempDirectory } from "./repair-support.ts";

const NAME = "8x16-2-shards";
const ODD = "my db $x'";

/** A follower's directory with a name that a shell would take apart. */
class OddDirectory extends DatabaseFiles implements Disposable {
  readonly #root: TempDirectory;

  constructor() {
    const root = new TempDirectory();
    super(join(root.path, ODD), LAYOUTS[NAME]);
    this.#root = root;
    cpSync(fixtureDirectory(NAME, "follower-clean"), this.path, { recursive: true });
  }

  harm(): void {
    this.setMeta(0, this.slotsOf(0, 1)[0] ?? 0, STATUS_INVALID, 1);
  }

  [Symbol.dispose](): void {
    this.#root[Symbol.dispose]();
  }
}

/** The words that a shell makes of the first command of armdb in a hint. */
function wordsOf(hint: string): string[] {
  const command = /armdb .*?(?=$|, | again| \(|; )/.exec(hint)?.[0] ?? "";
  const { stdout, status } = spawnSync("sh", ["-c", `printf '%s\\n' ${command}`], {
    encoding: "utf8",
  });
  expect(status).toBe(0);
  return stdout.trimEnd().split("\n");
}

describe("hints name the directory, as a shell reads it", () => {
  test("of an interrupted repair", async () => {
    using copy = new OddDirectory();
    copy.harm();
    const disk: Disk = {
      ...realDisk,
      open(path, mode, permissions) {
        if (mode === "write" && path === copy.file(0)) throw new DiskError("open", path, "EIO");
        return realDisk.open(path, mode, permissions);
      },
    };
    const { error } = await runWords(repairCommand, [copy.path, "--apply", "--yes"], { disk });
    const hint = error?.details.hint ?? "";
    expect(wordsOf(hint)).toEqual(["armdb", "repair", copy.path]);
    const [journal = ""] = journalsIn(copy.path);
    expect(wordsOf(hint.slice(hint.indexOf(", or ")))).toEqual([
      ...["armdb", "repair", copy.path, "--undo", journal],
    ]);
  });

  test("of damage that is left", async () => {
    using copy = new OddDirectory();
    truncateSync(copy.file(1), 0);
    const { status, document } = await runWords(repairCommand, [copy.path, "--json"]);
    expect(status).toBe(3);
    const [{ hint }] = document["left"] as [{ hint: string }];
    expect(wordsOf(hint).slice(0, 4)).toEqual(["armdb", "repair", copy.path, "--from"]);
  });

  test("of a repair and a comparison that are refused", async () => {
    using copy = new OddDirectory();
    copy.harm();
    using other = new TempDirectory();
    cpSync(fixtureDirectory("4x3-3-shards-padded", "leader-clean"), other.path, {
      recursive: true,
    });
    const refused = [
      await runWords(repairCommand, [copy.path, "--keep", "0:1"]),
      await runWords(repairCommand, [copy.path, "--from", other.path]),
      await runWords(compareCommand, [copy.path, other.path]),
    ];
    for (const { error } of refused) {
      expect(error?.details.hint).not.toMatch(/\bDIR\b/);
      expect(wordsOf(error?.details.hint ?? "")[2]).toBe(copy.path);
    }
  });

  test("of what undoes a repair", async () => {
    using copy = new OddDirectory();
    copy.harm();
    const { lines } = await runWords(repairCommand, [copy.path, "--apply", "--yes"]);
    const [journal = ""] = journalsIn(copy.path);
    expect(wordsOf(lines.at(-1) ?? "")).toEqual([
      ...["armdb", "repair", copy.path, "--undo", journal],
    ]);
  });
});

describe("a name that was mistyped is a usage error", () => {
  test("a journal that is not there, with the newest that is", async () => {
    using copy = new OddDirectory();
    const none = await runWords(repairCommand, [copy.path, "--undo", "TYPO", "--yes"]);
    expect(none).toMatchObject({ status: 2, error: { message: 'There is no journal "TYPO"' } });
    copy.harm();
    await runWords(repairCommand, [copy.path, "--apply", "--yes"]);
    const [journal = ""] = journalsIn(copy.path);
    const { status, error } = await runWords(repairCommand, [copy.path, "--undo", "TYPO", "--yes"]);
    expect(status).toBe(2);
    expect(wordsOf(error?.details.hint ?? "")).toEqual([
      ...["armdb", "repair", copy.path, "--undo", journal],
    ]);
  });

  test("the status of a file", async () => {
    using directory = new TempDirectory();
    const file = join(directory.path, "db.meta");
    writeFileSync(file, "");
    const { status, error } = await runWords(statusCommand, [file]);
    expect(status).toBe(2);
    expect(error?.message).toBe(`"${file}" is a file: armdb status takes a database directory`);
  });
});

test("a source that cannot be read is exit 5, and nothing was written", async () => {
  using copy = new OddDirectory();
  copy.harm();
  using source = new TempDirectory();
  cpSync(fixtureDirectory(NAME, "leader-clean"), source.path, { recursive: true });
  let opened = 0;
  const disk: Disk = {
    ...realDisk,
    open(path, mode, permissions) {
      // Its header and its first keys can be read, then no more.
      if (path === join(source.path, "shard_000/fixed.data") && ++opened > 2) {
        throw new DiskError("open", path, "EIO");
      }
      return realDisk.open(path, mode, permissions);
    },
  };
  const words = [copy.path, "--from", source.path, "--apply", "--yes"];
  const { status, error } = await runWords(repairCommand, words, { disk });
  expect([status, error?.message]).toEqual([5, expect.stringContaining("nothing was written")]);
  expect(journalsIn(copy.path)).toEqual([]);
});

test("a repair that gives up while it writes its journal leaves none behind", async () => {
  using copy = new OddDirectory();
  copy.harm();
  // The sidecar goes away between the check of all files and the pieces of it that are saved.
  let looks = 0;
  const sidecar = copy.file(0, "fixed.versions");
  const disk: Disk = {
    ...realDisk,
    facts(path) {
      const isSaving = journalsIn(copy.path).length > 0;
      if (path !== sidecar || !isSaving) return realDisk.facts(path);
      looks += 1;
      return null;
    },
  };
  const { status, error } = await runWords(repairCommand, [copy.path, "--apply", "--yes"], {
    disk,
  });
  expect(looks).toBeGreaterThan(0);
  expect([status, error?.message]).toEqual([5, expect.stringContaining("has changed since")]);
  expect(journalsIn(copy.path)).toEqual([]);
});
