// The unit file in contrib: no softer than what the set-up wizard prints, sound for systemd where that can be asked, and honest
// about what the runtime does not allow.

import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { systemdUnit } from "../../src/cli/pages/unit.ts";
import { TempRoot } from "../support/temp.ts";
import { has } from "../support/needs.ts";

const PATH = resolve(import.meta.dir, "../../contrib/armdb-replicate.service");
const TEXT = readFileSync(PATH, "utf8");

/** Settings of a unit, comments left out; those that name this or that machine too. */
function settingsOf(text: string): string[] {
  const own = ["Description=", "ExecStart=", "User=", "Group=", "ReadWritePaths="];
  return text
    .split("\n")
    .filter((line) => /^[A-Z][A-Za-z]+=/.test(line))
    .filter((line) => !own.some((name) => line.startsWith(name)));
}

describe("contrib/armdb-replicate.service", () => {
  test("has every setting of the wizard's unit", () => {
    const wizards = systemdUnit({
      executable: "/usr/local/bin/armdb",
      leader: "10.0.0.5:7400",
      data: "/var/lib/armdb/replica",
      http: "127.0.0.1:9407",
      user: "armdb",
    });
    const settings = new Set(settingsOf(TEXT));
    expect(settingsOf(wizards).filter((line) => !settings.has(line))).toEqual([]);
  });

  test("runs the command that the wizard prints", () => {
    expect(TEXT).toContain(
      "\nExecStart=/usr/local/bin/armdb replicate 10.0.0.5:7400 --data /var/lib/armdb/replica --http 127.0.0.1:9407\n",
    );
  });

  test("does not forbid the JIT, and says why", () => {
    expect(settingsOf(TEXT).join()).not.toContain("MemoryDenyWriteExecute");
    expect(TEXT).toContain("Not possible: MemoryDenyWriteExecute=yes");
  });

  test.if(has("systemd-analyze"))("is sound for systemd, and well locked up", () => {
    using temp = new TempRoot("unit");
    const path = join(temp.path, "armdb-replicate.service");
    // The program, the user and the man page need not be on this machine.
    const text = TEXT.replace(/^(ExecStart=)\S+/m, "$1/bin/true")
      .replace(/^(User|Group)=.*$/gm, "$1=root")
      .replace(/^Documentation=.*$/m, "");
    writeFileSync(path, text);
    const verify = Bun.spawnSync(["systemd-analyze", "verify", path]);
    expect([verify.exitCode, verify.stderr.toString()]).toEqual([0, ""]);
    const asIs = join(temp.path, "armdb.service");
    writeFileSync(asIs, TEXT);
    const security = Bun.spawnSync(["systemd-analyze", "security", "--offline=true", asIs]);
    const exposure = /exposure level for \S+: ([\d.]+)/.exec(security.stdout.toString())?.[1];
    if (exposure !== undefined) expect(Number(exposure)).toBeLessThan(3);
  });
});
