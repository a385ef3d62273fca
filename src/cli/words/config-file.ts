// The TOML files that may set options: `--config FILE` alone, or else /etc/armdb.toml and the user's own, which wins. Keys are
// option names, tables are command names. Reads plain files only, of bounded size, and takes no key that no command knows.

import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { ArmdbError } from "../../errors.ts";
import type { CommandSpec, OptionSpec } from "./spec.ts";
import { escapeText } from "../surface/escape.ts";
import { nearest } from "./nearest.ts";
import { COMMON_OPTIONS, isAllowedInFile, optionsOf } from "./options.ts";

const SYSTEM_CONFIG_PATH = "/etc/armdb.toml";
const CONFIG_BYTES_MAX = 64 * 1024;

type Environment = Readonly<Record<string, string | undefined>>;

/** Returns the text of a file, null when there is none; throws ArmdbError for anything but a small plain file. */
export type ConfigReader = (path: string) => string | null;

/** A file's settings: `command` is null for those of every command. */
export interface ConfigFile {
  readonly path: string;
  readonly settings: readonly Setting[];
}

export interface Setting {
  readonly command: string | null;
  readonly option: string;
  readonly texts: readonly string[];
}

/** The files to read, the strongest first; `named` is what --config or ARMDB_CONFIG says. */
export function configPaths(named: string | null, env: Environment): string[] {
  if (named !== null) return [named];
  const home = env["HOME"];
  const base =
    env["XDG_CONFIG_HOME"] || (home === undefined || home === "" ? null : join(home, ".config"));
  const own = base === null || !base.startsWith("/") ? [] : [join(base, "armdb", "armdb.toml")];
  return [...own, SYSTEM_CONFIG_PATH];
}

/** Reads and checks one file; null when it does not exist. */
export async function readConfig(
  path: string,
  read: ConfigReader,
  loadSpecs: () => Promise<readonly CommandSpec[]>,
): Promise<ConfigFile | null> {
  const text = read(path);
  if (text === null) return null;
  return { path, settings: settingsOf(path, parseToml(path, text), await loadSpecs()) };
}

/** Takes the settings out of a parsed file, refusing keys and tables that no command knows. */
export function settingsOf(
  path: string,
  table: Readonly<Record<string, unknown>>,
  specs: readonly CommandSpec[],
): Setting[] {
  const everywhere = [...COMMON_OPTIONS, ...specs.flatMap((spec) => spec.options)];
  const settings: Setting[] = [];
  for (const [key, value] of Object.entries(table)) {
    if (!isTable(value)) settings.push(settingOf(path, null, everywhere, key, value));
    else readTable(path, key, value, specs, settings);
  }
  return settings;
}

/** `[inspect]`, and inside it `[inspect.shard]`. */
function readTable(
  path: string,
  name: string,
  table: Readonly<Record<string, unknown>>,
  specs: readonly CommandSpec[],
  into: Setting[],
): void {
  const spec = specs.find((candidate) => candidate.name === name);
  if (spec === undefined) {
    const names = specs.map((candidate) => candidate.name);
    throw refusal(path, `no command is called [${escapeText(name)}]`, nearest(name, names));
  }
  for (const [key, value] of Object.entries(table)) {
    if (isTable(value)) readTable(path, `${name} ${key}`, value, specs, into);
    else into.push(settingOf(path, name, optionsOf(spec), key, value));
  }
}

function settingOf(
  path: string,
  command: string | null,
  options: readonly OptionSpec[],
  key: string,
  value: unknown,
): Setting {
  const where = command === null ? `"${escapeText(key)}"` : `"${escapeText(key)}" in [${command}]`;
  const named = options.filter((option) => option.name === key);
  if (named.length === 0) {
    const names = options.map((option) => option.name);
    throw refusal(path, `unknown key ${where}`, nearest(key, names));
  }
  if (!named.some(isAllowedInFile)) {
    throw refusal(path, `${where} may only be given on the command line`, null);
  }
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  const isRepeatable = named.some((option) => option.repeatable === true);
  if (Array.isArray(value) && !isRepeatable) throw refusal(path, `${where} takes one value`, null);
  return { command, option: key, texts: values.map((item) => textOf(path, where, item)) };
}

function textOf(path: string, where: string, value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value === "boolean" || typeof value === "number") return String(value);
  throw refusal(path, `${where} must be a text, a number, true or false`, null);
}

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) return false;
  // TOML's dates are objects too, but no plain ones.
  return Object.getPrototypeOf(value) === Object.prototype || Object.getPrototypeOf(value) === null;
}

function parseToml(path: string, text: string): Readonly<Record<string, unknown>> {
  try {
    return Bun.TOML.parse(text) as Record<string, unknown>;
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw refusal(path, `it is not TOML: ${escapeText(reason)}`, null);
  }
}

function refusal(path: string, reason: string, guess: string | null): ArmdbError {
  const hint =
    guess === null
      ? "armdb config lists every option; armdb help COMMAND says what it takes"
      : `did you mean ${guess}? armdb config lists every option`;
  return new ArmdbError("usage", `Cannot use "${path}": ${reason}`, { path, hint });
}

/** Reads a small plain file. Links are followed (they are how such files are kept); a FIFO or device is refused. */
export const readConfigText: ConfigReader = (path) => {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (thrown) {
    const errno = (thrown as NodeJS.ErrnoException).code ?? "EIO";
    if (errno === "ENOENT" || errno === "ENOTDIR") return null;
    throw refusal(path, `it cannot be opened (${errno})`, null);
  }
  try {
    const facts = fstatSync(fd);
    if (!facts.isFile()) throw refusal(path, "it is not a regular file", null);
    if (facts.size > CONFIG_BYTES_MAX) {
      throw refusal(path, `it is larger than ${CONFIG_BYTES_MAX} bytes`, null);
    }
    if ((facts.mode & 0o002) !== 0) throw refusal(path, "everybody may write it (chmod o-w)", null);
    return readText(path, fd);
  } finally {
    closeSync(fd);
  }
};

function readText(path: string, fd: number): string {
  const bytes = new Uint8Array(CONFIG_BYTES_MAX + 1);
  let length = 0;
  while (length < bytes.length) {
    const count = readSync(fd, bytes, length, bytes.length - length, null);
    if (count === 0) break;
    length += count;
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, length));
  } catch {
    throw refusal(path, "it is not UTF-8", null);
  }
}
