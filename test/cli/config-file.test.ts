// Which config files are read, what they may say, and what they must be.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { configPaths, readConfig, readConfigText } from "../../src/cli/words/config-file.ts";
import { SAMPLE_SPECS } from "./sample-specs.ts";

async function settings(text: string) {
  const file = await readConfig(
    "/etc/x.toml",
    () => text,
    async () => [...SAMPLE_SPECS],
  );
  return file?.settings ?? [];
}

describe("configPaths()", () => {
  test.each([
    ["/given.toml", { HOME: "/h" }, ["/given.toml"]],
    [null, { HOME: "/h" }, ["/h/.config/armdb/armdb.toml", "/etc/armdb.toml"]],
    [null, { HOME: "/h", XDG_CONFIG_HOME: "/x" }, ["/x/armdb/armdb.toml", "/etc/armdb.toml"]],
    [null, { HOME: "/h", XDG_CONFIG_HOME: "" }, ["/h/.config/armdb/armdb.toml", "/etc/armdb.toml"]],
    [null, { XDG_CONFIG_HOME: "relative" }, ["/etc/armdb.toml"]],
    [null, {}, ["/etc/armdb.toml"]],
  ] satisfies [string | null, Record<string, string>, string[]][])(
    "named %p in %j are %j",
    (named, env, paths) => {
      expect(configPaths(named, env)).toEqual(paths);
    },
  );
});

describe("readConfig()", () => {
  test("takes texts, numbers, booleans and tables", async () => {
    expect(await settings('json = true\nwindow = 8\n[follow]\nsync = "batch"')).toEqual([
      { command: null, option: "json", texts: ["true"] },
      { command: null, option: "window", texts: ["8"] },
      { command: "follow", option: "sync", texts: ["batch"] },
    ]);
  });

  test("takes an absent file as none", async () => {
    expect(
      await readConfig(
        "/x",
        () => null,
        async () => [],
      ),
    ).toBeNull();
  });

  test.each([
    ["windwo = 8", 'unknown key "windwo"'],
    ["[folow]\nwindow = 8", "no command is called [folow]"],
    ["[follow]\nslots = 8", 'unknown key "slots" in [follow]'],
    ["[look.shrad]\nslots = 8", "no command is called [look shrad]"],
    ["yes = true", '"yes" may only be given on the command line'],
    ["[follow]\nforce = true", '"force" in [follow] may only be given on the command line'],
    ['config = "/other"', '"config" may only be given on the command line'],
    ["window = [1, 2]", '"window" takes one value'],
    ["window = 2027-01-01", '"window" must be a text, a number, true or false'],
    ["window = [{ a = 1 }]", '"window" takes one value'],
    ["tag = [{ a = 1 }]", '"tag" must be a text'],
    ["window = ", "it is not TOML"],
    ["a = 1\na = 2", "it is not TOML"],
  ])("refuses %j", async (text, message) => {
    await expect(settings(text)).rejects.toThrow(message);
  });

  test("names the file and the nearest key", async () => {
    await expect(settings("windwo = 8")).rejects.toMatchObject({
      code: "usage",
      message: 'Cannot use "/etc/x.toml": unknown key "windwo"',
      details: { hint: "did you mean window? armdb config lists every option" },
    });
  });
});

describe("readConfigText()", () => {
  let place = "";
  beforeAll(() => {
    place = mkdtempSync(join(tmpdir(), "armdb-config-"));
  });
  afterAll(() => rmSync(place, { recursive: true }));

  function file(name: string, content: string | Uint8Array): string {
    const path = join(place, name);
    writeFileSync(path, content);
    chmodSync(path, 0o644);
    return path;
  }

  test("reads a file, also behind a link", () => {
    const path = file("plain", "json = true\n");
    symlinkSync(path, join(place, "link"));
    expect(readConfigText(path)).toBe("json = true\n");
    expect(readConfigText(join(place, "link"))).toBe("json = true\n");
  });

  test("returns null where nothing is", () => {
    expect(readConfigText(join(place, "absent"))).toBeNull();
    expect(readConfigText(join(file("leaf", ""), "below"))).toBeNull();
  });

  test("refuses a FIFO without waiting for a writer", () => {
    const path = join(place, "fifo");
    expect(Bun.spawnSync(["mkfifo", path]).exitCode).toBe(0);
    expect(() => readConfigText(path)).toThrow("it is not a regular file");
  });

  test("refuses a directory, a device, a huge file, other text than UTF-8", () => {
    mkdirSync(join(place, "directory"));
    expect(() => readConfigText(join(place, "directory"))).toThrow("it is not a regular file");
    expect(() => readConfigText("/dev/zero")).toThrow("it is not a regular file");
    expect(() => readConfigText(file("huge", "#".repeat(70_000)))).toThrow(
      "larger than 65536 bytes",
    );
    expect(() => readConfigText(file("latin", new Uint8Array([0x23, 0xe9])))).toThrow("not UTF-8");
  });

  test("refuses a file that everybody may write", () => {
    const path = file("open", "json = true");
    chmodSync(path, 0o666);
    expect(() => readConfigText(path)).toThrow("everybody may write it");
  });
});
