// Compiles the executable: `bun scripts/build.ts [--target bun-linux-arm64] [--outfile dist/armdb]`.
// The flags that make it safe to run anywhere are here, each with its reason.

import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";

const ENTRIES = [
  "src/main.ts",
  "src/replica/threads/shard-thread.ts",
  "src/replica/threads/flush-thread.ts",
  "src/audit/scan/scan-thread.ts",
];

const { values } = parseArgs({
  options: {
    outfile: { type: "string", default: "dist/armdb" },
    target: { type: "string" },
    "compile-executable-path": { type: "string" },
  },
});

const wasm = Bun.spawnSync(["sh", "scripts/build-wasm"], {
  stdio: ["ignore", "inherit", "inherit"],
});
if (!wasm.success) process.exit(1);

const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
const define = (name: string, value: string) => ["--define", `${name}=${JSON.stringify(value)}`];
const outfile = values.outfile;
mkdirSync(dirname(outfile), { recursive: true });

const command = [
  process.execPath,
  "build",
  "--compile",
  "--minify",
  // Halves the time to the first line; bytecode alone would mean CommonJS.
  "--bytecode",
  "--format=esm",
  // Without it an uncaught error prints kilobytes of minified source.
  "--sourcemap",
  // Else a ./bunfig.toml or ./.env in the caller's directory runs code or sets variables before main.
  "--no-compile-autoload-dotenv",
  "--no-compile-autoload-bunfig",
  "--no-compile-autoload-tsconfig",
  "--no-compile-autoload-package-json",
  // Else BUN_OPTIONS=--preload=... runs code.
  "--compile-exec-argv=--disallow-code-generation-from-strings=strict",
  ...define("BUILD_VERSION", version),
  ...define("BUILD_COMMIT", commit()),
  ...define(
    "BUILD_TARGET",
    values.target?.replace(/^bun-/, "") ?? `${process.platform}-${process.arch}`,
  ),
  ...define("process.env.NODE_ENV", "production"),
  ...(values.target === undefined ? [] : [`--target=${values.target}`]),
  ...(values["compile-executable-path"] === undefined
    ? []
    : [`--compile-executable-path=${values["compile-executable-path"]}`]),
  ...ENTRIES,
  "--outfile",
  outfile,
];

const built = Bun.spawnSync(command, { stdio: ["ignore", "pipe", "pipe"] });
const log = `${built.stdout}${built.stderr}`;
// Failed bytecode does not fail the build: it only says so.
if (!built.success || /error|failed/i.test(log)) {
  process.stderr.write(log);
  process.exit(1);
}
// The maps are inside; the copies beside it are not part of what is shipped.
for (const name of readdirSync(dirname(outfile))) {
  if (name.endsWith(".map")) rmSync(join(dirname(outfile), name));
}
process.stderr.write(
  `${outfile}: ${(statSync(outfile).size / 1e6).toFixed(0)} MB, armdb ${version} (${commit()})\n`,
);

/** The commit it is built from, `-dirty` when the sources differ from it; `unknown` outside a checkout. */
function commit(): string {
  const git = (...words: string[]) => Bun.spawnSync(["git", ...words], { stderr: "ignore" });
  const head = git("rev-parse", "--short=12", "HEAD");
  if (!head.success) return "unknown";
  const changed = git(
    "status",
    "--porcelain",
    "--",
    "src",
    "package.json",
    "bun.lock",
    "scripts/build.ts",
  );
  return `${head.stdout.toString().trim()}${changed.stdout.length > 0 ? "-dirty" : ""}`;
}
