// The oracle's programs, one package for each version of the crate: where they lie, and how they are built. Tests never build:
// they use what the gate hands over (ARMDB_TEST_ORACLE, a folder), or what lies in target/ and is no older than its sources.
// The gate and the benchmark call buildOracle; by hand it is `bun test/oracle/build.ts`.

import { readdirSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { need } from "../support/needs.ts";

export const ORACLE_VERSIONS = ["0.1.14", "0.6.1", "0.15.0"] as const;
export type OracleVersion = (typeof ORACLE_VERSIONS)[number];
export type OraclePaths = Readonly<Record<OracleVersion, string>>;

const BUILD_DEADLINE_MS = 20 * 60_000;
const BUILT = join(import.meta.dir, "target/release");
/** What the programs are made from, beside the crate itself, which the lock file pins. */
const SOURCES = ["src", "v0-1-14", "v0-6-1", "v0-15-0", "Cargo.toml", "Cargo.lock"];

/** Whether tests can drive the real crate here; says once what is missing. In CI it has to be there: else this throws. */
export function oracleAvailable(): boolean {
  const found = oraclePaths() !== null;
  if (!found && process.env["CI"]) throw new Error("CI must not skip the tests on the real crate");
  const missing = Bun.which("cargo") === null ? "cargo" : "built oracle (bun test/oracle/build.ts)";
  return need(missing, found);
}

/** The programs' paths, null where one is missing or older than what it is made from. Builds nothing. */
export function oraclePaths(): OraclePaths | null {
  const handed = process.env["ARMDB_TEST_ORACLE"];
  if (handed) return pathsIn(handed);
  const sourcesMs = Math.max(...SOURCES.map((name) => changedMs(join(import.meta.dir, name))));
  const paths = pathsIn(BUILT);
  const isFresh = (path: string) => changedMs(path) > sourcesMs;
  return Object.values(paths).every(isFresh) ? paths : null;
}

/**
 * Builds the programs with cargo, two minutes the first time, and returns their folder. One package a call: else features that
 * versions share would be built for all of them.
 */
export async function buildOracle(): Promise<string> {
  for (const version of ORACLE_VERSIONS) await runCargo(version);
  // cargo goes by what it remembers and leaves a program alone whose sources were only touched.
  for (const path of Object.values(pathsIn(BUILT))) utimesSync(path, new Date(), new Date());
  return BUILT;
}

async function runCargo(version: OracleVersion): Promise<void> {
  const where = ["--target-dir", "target", "-p", nameOf(version)];
  const cargo = Bun.spawn(["cargo", "build", "--release", "--locked", "-j2", ...where], {
    cwd: import.meta.dir,
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
    timeout: BUILD_DEADLINE_MS,
    killSignal: "SIGKILL",
  });
  const [log, code] = await Promise.all([new Response(cargo.stderr).text(), cargo.exited]);
  if (code !== 0)
    throw new Error(`cargo build of ${version} failed (${code})\n${log.slice(-4000)}`);
}

function nameOf(version: OracleVersion): string {
  return `oracle-${version.replaceAll(".", "-")}`;
}

function pathsIn(folder: string): OraclePaths {
  const rows = ORACLE_VERSIONS.map((version) => [version, join(folder, nameOf(version))]);
  return Object.fromEntries(rows) as Record<OracleVersion, string>;
}

/** When a file, or the newest in a folder, was changed; 0 when there is none. */
function changedMs(path: string): number {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return 0;
  if (!stats.isDirectory()) return stats.mtimeMs;
  return Math.max(0, ...readdirSync(path).map((name) => changedMs(join(path, name))));
}

if (import.meta.main) console.log(await buildOracle());
