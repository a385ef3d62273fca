// Builds the oracle's programs, one package for each version of the crate.

export const ORACLE_VERSIONS = ["0.1.14", "0.6.1", "0.15.0"] as const;
export type OracleVersion = (typeof ORACLE_VERSIONS)[number];

const BUILD_DEADLINE_MS = 20 * 60_000;

/** Whether the oracle can be built here. In CI it has to be. */
export function oracleAvailable(): boolean {
  if (Bun.which("cargo") !== null) return true;
  if (process.env["CI"]) throw new Error("the oracle needs cargo on the PATH");
  return false;
}

const builds = new Map<OracleVersion, Promise<string>>();
let lastBuild: Promise<unknown> = Promise.resolve();

/**
 * Builds the programs, once per process, and returns their paths. Several test
 * processes may do this at a time: cargo locks its target directory.
 */
export async function buildOracle(
  versions: readonly OracleVersion[] = ORACLE_VERSIONS,
): Promise<Record<OracleVersion, string>> {
  await Promise.all(versions.map(build));
  return Object.fromEntries(ORACLE_VERSIONS.map((version) => [version, pathOf(version)])) as Record<
    OracleVersion,
    string
  >;
}

/** One package per cargo call, else features that versions share would be rebuilt. */
function build(version: OracleVersion): Promise<string> {
  const known = builds.get(version);
  if (known !== undefined) return known;
  const started = lastBuild.catch(() => {}).then(() => runCargo(version));
  lastBuild = started;
  builds.set(version, started);
  return started;
}

async function runCargo(version: OracleVersion): Promise<string> {
  oracleAvailable();
  const cargo = Bun.spawn(
    [
      "cargo",
      "build",
      "--release",
      "--locked",
      "-j2",
      "--target-dir",
      "target",
      "-p",
      nameOf(version),
    ],
    {
      cwd: import.meta.dir,
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
      timeout: BUILD_DEADLINE_MS,
      killSignal: "SIGKILL",
    },
  );
  const [log, code] = await Promise.all([new Response(cargo.stderr).text(), cargo.exited]);
  if (code !== 0)
    throw new Error(`cargo build of ${version} failed (${code})\n${log.slice(-4000)}`);
  return pathOf(version);
}

function nameOf(version: OracleVersion): string {
  return `oracle-${version.replaceAll(".", "-")}`;
}

function pathOf(version: OracleVersion): string {
  return `${import.meta.dir}/target/release/${nameOf(version)}`;
}
