// Help, reference and man page come from the tables, and the tables of all commands are sound.

import { describe, expect, test } from "bun:test";
import { commandLines, overviewLines } from "../../src/cli/pages/help.ts";
import { manualPage } from "../../src/cli/pages/manual.ts";
import { COMMON_OPTIONS, isCommandLineOnly, optionsOf } from "../../src/cli/words/options.ts";
import { createPalette } from "../../src/cli/surface/palette.ts";
import { loadSpecs, REGISTRY } from "../../src/cli/registry.ts";
import { parseValue } from "../../src/cli/words/values.ts";
import { EXIT_STATUS } from "../../src/errors.ts";
import { FOLLOW, LOOK_SHARD, PAINT, SAMPLE_SPECS } from "./sample-specs.ts";
import { has } from "../support/needs.ts";

const palette = createPalette(false);
const specs = await loadSpecs();

describe("help of the sample table", () => {
  test("at 80 columns", () => {
    const columns = 80;
    const pages = [
      overviewLines(SAMPLE_SPECS, { columns, palette }),
      commandLines(FOLLOW, { columns, palette }),
      commandLines(LOOK_SHARD, { columns, palette }),
    ];
    expect(pages.map((lines) => lines.join("\n")).join("\n\n\f\n\n")).toMatchSnapshot();
  });

  test("shows examples before usage and options", () => {
    const lines = commandLines(FOLLOW, { columns: 80, palette });
    const example = lines.findIndex((line) => line.includes("armdb follow db:7400 --data x"));
    const usage = lines.findIndex((line) => line.startsWith("Usage"));
    expect(example).toBeGreaterThan(0);
    expect(usage).toBeGreaterThan(example);
  });
});

describe("manualPage()", () => {
  test("names every option, argument and exit status of the tables", () => {
    const page = manualPage(SAMPLE_SPECS, "1.2.3").replaceAll("\\-", "-");
    for (const spec of SAMPLE_SPECS) {
      for (const { name } of optionsOf(spec)) expect(page).toContain(`--${name}`);
      for (const { name } of spec.arguments) expect(page).toContain(name);
      for (const [, when] of spec.exits) expect(page).toContain(when);
    }
  });

  test("leaves roff nothing to stumble over", () => {
    for (const line of manualPage([PAINT, ...specs], "1.2.3").split("\n")) {
      if (line.startsWith(".")) expect(line).toMatch(/^\.(TH|SH|SS|PP|TP|br)( |$)/);
      expect(line).not.toStartWith("'");
      expect(line.replaceAll(/\\(e|-|&|f[BR])/g, "")).not.toContain("\\");
    }
  });

  test.if(has("groff"))("is taken by groff without a warning", async () => {
    const page = manualPage(specs, "1.2.3");
    const groff = Bun.spawn(["groff", "-man", "-Tutf8", "-ww", "-z", "-K", "utf8"], {
      stdin: Buffer.from(page),
      stdout: "pipe",
      stderr: "pipe",
    });
    expect(await groff.stderr.text()).toBe("");
    expect(await groff.exited).toBe(0);
  });
});

describe("the registry", () => {
  test("names each command as its own table does, once", () => {
    expect(specs.map((spec) => spec.name)).toEqual(REGISTRY.map((entry) => entry.name));
    expect(new Set(specs.map((spec) => spec.name)).size).toBe(specs.length);
  });

  test.each(specs)("$name has a sound table", (spec) => {
    expect(spec.summary).not.toMatch(/\.$/);
    expect(spec.summary.length).toBeLessThanOrEqual(72);
    expect(spec.examples.length).toBeGreaterThanOrEqual(2);
    expect(spec.examples.length).toBeLessThanOrEqual(4);
    expect(spec.examples.some(({ command }) => command.includes("--json | jq"))).toBe(true);
    expect(spec.next.length).toBeGreaterThan(0);
    const statuses = spec.exits.map(([status]) => status);
    const known = [0, 130, 143, ...Object.values(EXIT_STATUS)];
    expect(known).toEqual(expect.arrayContaining(statuses));
    expect(statuses).toContain(0);
    const optional = spec.arguments.findIndex((argument) => !argument.required);
    if (optional !== -1) {
      expect(spec.arguments.slice(optional).every((argument) => !argument.required)).toBe(true);
    }
  });

  test.each(specs)("$name has options that can be told apart and are documented", (spec) => {
    const options = optionsOf(spec);
    const words = options.flatMap((option) => [option.name, option.short ?? []].flat());
    expect(new Set(words).size).toBe(words.length);
    for (const option of options) {
      expect(option.name).toMatch(/^[a-z][a-z-]+$/);
      expect(option.summary).not.toBe("");
      if (option.kind === "choice") expect(option.choices?.length ?? 0).toBeGreaterThan(1);
      if (option.kind !== "flag") expect(option.value ?? option.choices).toBeDefined();
      if (option.default !== undefined) expect(parseValue(option, option.default).ok).toBe(true);
    }
    // A command must not give a common name another meaning.
    const common = new Set(COMMON_OPTIONS.map((option) => option.name));
    expect(spec.options.filter((option) => common.has(option.name))).toEqual([]);
  });

  test("keeps the dangerous words on the command line", () => {
    const dangerous = new Set(["yes", "apply", "force", "adopt", "accept-leader", "undo"]);
    for (const option of specs.flatMap(optionsOf)) {
      if (dangerous.has(option.name)) expect(isCommandLineOnly(option)).toBe(true);
    }
  });

  test.each(specs)("help of $name fits 80 columns but for long examples", (spec) => {
    const commands = spec.examples.map((example) => example.command);
    for (const line of commandLines(spec, { columns: 80, palette })) {
      if (commands.includes(line.trim())) continue;
      expect(Bun.stringWidth(line)).toBeLessThanOrEqual(80);
    }
  });

  test("the overview fits a screen of 80 x 40", () => {
    const lines = overviewLines(specs, { columns: 80, palette });
    expect(lines.length).toBeLessThanOrEqual(40);
    for (const line of lines) expect(Bun.stringWidth(line)).toBeLessThanOrEqual(80);
  });
});
