// Makes a release (scripts/release says how it is called): builds each target twice and compares, checks what it is, signs
// what Bun leaves badly signed, runs what can run here, writes SHA256SUMS. Ends with a line a target; status 1 when a build
// fails or differs, or an executable that runs does wrong.

import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { signAdHoc, signatureFault } from "./mach-o-signature.ts";
import { launcherFor } from "./release-roots.ts";
import { smoke } from "./release-smoke.ts";
import {
  RELEASE_TARGETS,
  type ReleaseTarget,
  releaseFileName,
  targetFault,
} from "./release-targets.ts";

const { values } = parseArgs({
  options: {
    into: { type: "string", default: "dist/release" },
    target: { type: "string", multiple: true },
    draft: { type: "boolean", default: false },
    "no-smoke": { type: "boolean", default: false },
    "require-smoke": { type: "boolean", default: false },
  },
});

/** What the builds leave between runs: runtimes by target, and the roots that foreign executables run in. */
const KEPT = "build/release";
const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };

interface Made {
  readonly target: ReleaseTarget;
  readonly file: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly ran: string;
  readonly failed: boolean;
}

function fail(text: string): never {
  process.stderr.write(`release: ${text}\n`);
  process.exit(1);
}

function run(words: readonly string[], cwd = "."): string {
  const done = Bun.spawnSync([...words], { cwd, stdio: ["ignore", "pipe", "pipe"] });
  if (!done.success) fail(`${words.slice(0, 3).join(" ")} failed\n${done.stdout}${done.stderr}`);
  return done.stdout.toString();
}

function chosenTargets(): readonly ReleaseTarget[] {
  const names = values.target ?? RELEASE_TARGETS.map((target) => target.name);
  return names.map((name) => {
    const found = RELEASE_TARGETS.find((target) => target.name === name);
    const known = RELEASE_TARGETS.map((target) => target.name).join(", ");
    return found ?? fail(`there is no target "${name}"; there are ${known}`);
  });
}

/** A fresh clone of the commit with what bun.lock names, elsewhere: what is built there owes nothing to this directory. */
function secondTree(scratch: string): string {
  if (run(["git", "status", "--porcelain"]).trim() !== "") {
    if (values.draft) return ".";
    fail("there are changes that are not committed; --draft releases them all the same");
  }
  const clone = join(scratch, "clone");
  run(["git", "clone", "--quiet", "--shared", ".", clone]);
  run([process.execPath, "install", "--frozen-lockfile"], clone);
  return clone;
}

/** The Bun of a target out of its npm package, whose bytes bun.lock pins. */
function runtimeOf(target: ReleaseTarget): string {
  const place = join(KEPT, `runtime-${target.name}`);
  mkdirSync(place, { recursive: true });
  for (const name of ["package.json", "bun.lock", "bunfig.toml"])
    copyFileSync(name, join(place, name));
  const words = ["--os", target.os, "--cpu", target.cpu, "--libc", target.libc ?? "*"];
  run([process.execPath, "install", "--frozen-lockfile", "--ignore-scripts", ...words], place);
  return resolve(place, "node_modules", target.runtime, "bin/bun");
}

/** Builds in `tree`; the file's name is part of its bytes, so it is always `armdb`. */
function build(tree: string, target: ReleaseTarget, runtime: string, scratch: string): Buffer {
  const outfile = join(mkdtempSync(join(scratch, "build-")), "armdb");
  const from = ["--target", `bun-${target.name}`, "--compile-executable-path", runtime];
  run([process.execPath, "scripts/build.ts", ...from, "--outfile", outfile], tree);
  const fault = targetFault(outfile, target);
  if (fault !== null) fail(`${target.name}: ${fault}`);
  const built = readFileSync(outfile);
  if (target.os !== "darwin" || signatureFault(built) === null) return built;
  const signed = signAdHoc(built, "armdb");
  const left = signatureFault(signed);
  return left === null ? signed : fail(`${target.name}: ${left}`);
}

async function make(target: ReleaseTarget, second: string, scratch: string): Promise<Made> {
  const started = performance.now();
  const runtime = runtimeOf(target);
  const built = build(".", target, runtime, scratch);
  if (!built.equals(build(second, target, runtime, scratch))) {
    fail(`${target.name}: two builds of the same commit differ`);
  }
  const file = releaseFileName(target, version);
  const path = join(values.into, file);
  writeFileSync(path, built);
  chmodSync(path, 0o755);
  const { ran, failed } = await tryOut(target, path, scratch);
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  process.stderr.write(`${file}: built twice, the same bytes; ${ran} (${seconds} s)\n`);
  const sha256 = createHash("sha256").update(built).digest("hex");
  return { target, file, bytes: built.length, sha256, ran, failed };
}

async function tryOut(
  target: ReleaseTarget,
  path: string,
  scratch: string,
): Promise<{ readonly ran: string; readonly failed: boolean }> {
  if (values["no-smoke"]) return { ran: "not run: --no-smoke", failed: false };
  const work = mkdtempSync(join(scratch, "smoke-"));
  const launcher = launcherFor(target, join(KEPT, "roots"), work);
  if (launcher.kind === "cannot") {
    const failed = values["require-smoke"] && target.os === "linux";
    return { ran: `not run: ${launcher.reason}`, failed };
  }
  // In the work directory, as a container root sees nothing else.
  const executable = join(work, "armdb");
  copyFileSync(path, executable);
  const program = [...launcher.words, executable];
  try {
    await smoke({ program, version, target: target.name, work: join(work, "files") });
    return { ran: `ran ${launcher.how}`, failed: false };
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    return { ran: `FAILED ${launcher.how}: ${reason}`, failed: true };
  }
}

const targets = chosenTargets();
const scratch = mkdtempSync(join(tmpdir(), "armdb-release-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));
const second = secondTree(scratch);
rmSync(values.into, { recursive: true, force: true });
mkdirSync(values.into, { recursive: true });

const made: Made[] = [];
for (const target of targets) made.push(await make(target, second, scratch));

const sums = made.map(({ sha256, file }) => `${sha256}  ${file}\n`).sort();
writeFileSync(join(values.into, "SHA256SUMS"), sums.join(""));
for (const { file, bytes, ran } of made) {
  console.log(`${file}  ${(bytes / 1e6).toFixed(0)} MB  ${ran.split("\n")[0]}`);
}
process.exit(made.some(({ failed }) => failed) ? 1 : 0);
