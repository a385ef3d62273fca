// Lets this machine run executables for another processor or C library: gathers, without installing anything, qemu and the
// libraries of Debian, each package checked by apt against Debian's keys, and for musl the one library that Debian has only
// for glibc, libstdc++, out of a Python package for musl that pip checks by its hash. Everything lies in one directory.

import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { basename, join, resolve } from "node:path";
import type { Cpu, ReleaseTarget } from "./release-targets.ts";

/** How to run an executable of a target here, or why that cannot be. */
export type Launcher =
  | { readonly kind: "runs"; readonly words: readonly string[]; readonly how: string }
  | { readonly kind: "cannot"; readonly reason: string };

/** musl before 1.2.4 lacks the relocations that today's libstdc++ uses: Debian 12 is too old. */
const DEBIAN_SUITE = "trixie";
const DEBIAN_KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg";
const DEBIAN_CPU: Readonly<Record<Cpu, string>> = { x64: "amd64", arm64: "arm64" };
const MACHINE: Readonly<Record<Cpu, string>> = { x64: "x86_64", arm64: "aarch64" };

/** A wheel that carries libstdc++ and libgcc_s for musl. Only these two files of it are used. */
const LIBRARY_WHEEL = "numpy==2.5.5";
const LIBRARY_WHEEL_SHA256: Readonly<Record<Cpu, string>> = {
  x64: "7fb87c4bcc73850ef433a0c42f096b010d3d3d284e9d00028bb030b43df3d078",
  arm64: "86868185bf4b6c4e5a8628ac42cfa165cd9530266c731f7dd1d11b4ad7e7cd1c",
};

class Missing extends Error {}

/** `into` is a directory that is kept from run to run; `work` is where the runs will have their files. */
export function launcherFor(target: ReleaseTarget, into: string, work: string): Launcher {
  if (target.os !== process.platform) {
    return { kind: "cannot", reason: `this machine does not run ${target.os} programs` };
  }
  const here = existsSync(`/lib/ld-musl-${MACHINE[target.cpu]}.so.1`) ? "musl" : "glibc";
  const native = target.cpu === process.arch;
  if (native && target.libc === here) return { kind: "runs", words: [], how: "natively" };
  try {
    const root = join(resolve(into), target.name);
    mkdirSync(into, { recursive: true });
    if (!existsSync(join(root, "complete"))) fillRoot(target, root, join(resolve(into), "apt"));
    if (native) return inContainerRoot(root, work);
    const qemu = bringQemu(target.cpu, resolve(into));
    const libraries = join(root, "lib");
    const words = [qemu, "-E", `LD_LIBRARY_PATH=${libraries}`, "-L", root];
    return { kind: "runs", words, how: "under qemu-user" };
  } catch (thrown) {
    if (!(thrown instanceof Missing)) throw thrown;
    return { kind: "cannot", reason: thrown.message };
  }
}

/** A root of its own in a user and mount namespace, with /proc and the work directory in it; needs no privileges. */
function inContainerRoot(root: string, work: string): Launcher {
  for (const path of ["proc", "tmp", "dev", work]) mkdirSync(join(root, path), { recursive: true });
  const enter = [
    `mount --rbind /proc '${root}/proc'`,
    `mount --rbind /dev '${root}/dev'`,
    `mount --rbind '${work}' '${root}${work}'`,
    `LD_LIBRARY_PATH=/lib exec chroot '${root}' "$@"`,
  ].join(" && ");
  const words = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", enter, "sh"];
  run(["unshare", "--user", "--map-root-user", "--mount", "true"]);
  return { kind: "runs", words, how: "in a container root" };
}

function fillRoot(target: ReleaseTarget, root: string, apt: string): void {
  rmSync(root, { recursive: true, force: true });
  mkdirSync(join(root, "lib"), { recursive: true });
  const parts = join(root, "parts");
  const libc = target.libc === "musl" ? "musl" : "libc6";
  unpack(bringPackage(libc, DEBIAN_CPU[target.cpu], apt), parts);
  for (const path of globSync(join(parts, "{,usr/}lib/*"))) {
    cpSync(path, join(root, "lib", basename(path)), { recursive: true, verbatimSymlinks: true });
  }
  if (target.libc === "musl") bringMuslLibraries(target.cpu, root);
  rmSync(parts, { recursive: true });
  writeFileSync(join(root, "complete"), "");
}

function bringQemu(cpu: Cpu, into: string): string {
  const name = `qemu-${MACHINE[cpu]}`;
  const known = Bun.which(name) ?? Bun.which(`${name}-static`);
  if (known !== null) return known;
  const place = join(into, "qemu");
  const path = join(place, "usr/bin", name);
  if (!existsSync(path)) {
    unpack(bringPackage("qemu-user", DEBIAN_CPU[hostCpu()], join(into, "apt")), place);
  }
  return path;
}

function hostCpu(): Cpu {
  if (process.arch === "x64" || process.arch === "arm64") return process.arch;
  throw new Missing(`there is no qemu package for ${process.arch} here`);
}

/** Downloads one package of Debian, whatever the release of this machine, and returns its path. */
function bringPackage(name: string, architecture: string, apt: string): string {
  need("apt-get", "dpkg-deb");
  if (!existsSync(DEBIAN_KEYS)) throw new Missing("Debian's keys are not installed");
  const place = join(apt, architecture);
  const packages = join(place, "packages");
  for (const path of ["state/lists/partial", "cache/archives/partial", "packages"]) {
    mkdirSync(join(place, path), { recursive: true });
  }
  writeFileSync(join(place, "status"), "");
  const source = `deb [signed-by=${DEBIAN_KEYS}] ${debianMirror()} ${DEBIAN_SUITE} main\n`;
  writeFileSync(join(place, "sources.list"), source);
  const options = [
    `Dir::State=${place}/state`,
    `Dir::State::status=${place}/status`,
    `Dir::Cache=${place}/cache`,
    `Dir::Etc::SourceList=${place}/sources.list`,
    "Dir::Etc::SourceParts=/nonexistent",
    `APT::Architecture=${architecture}`,
    `APT::Architectures=${architecture}`,
    "APT::Sandbox::User=root",
  ].flatMap((option) => ["-o", option]);
  if (globSync(join(place, "state/lists/*Packages*")).length === 0) {
    run(["apt-get", "-qq", ...options, "update"]);
  }
  run(["apt-get", "-qq", ...options, "download", name], packages);
  const found = globSync(join(packages, `${name}_*.deb`))
    .sort()
    .at(-1);
  if (found === undefined) throw new Missing(`apt-get downloaded no ${name} for ${architecture}`);
  return found;
}

/** The mirror that this machine is set up with. */
function debianMirror(): string {
  const listed = run([
    "apt-get",
    "indextargets",
    "--format",
    "$(REPO_URI)",
    "Created-By: Packages",
  ]);
  const mirror = listed.split("\n").find((uri) => /\/debian\/?$/.test(uri));
  if (mirror === undefined) throw new Missing("apt is not set up with a mirror of Debian");
  return mirror;
}

function bringMuslLibraries(cpu: Cpu, root: string): void {
  need("pip", "unzip");
  const place = join(root, "parts", "wheel");
  mkdirSync(place, { recursive: true });
  const wanted = join(place, "requirements.txt");
  writeFileSync(wanted, `${LIBRARY_WHEEL} --hash=sha256:${LIBRARY_WHEEL_SHA256[cpu]}\n`);
  const platform = `musllinux_1_2_${MACHINE[cpu]}`;
  const words = ["--platform", platform, "--python-version", "3.12", "--only-binary=:all:"];
  run([
    "pip",
    "download",
    "-q",
    "--no-deps",
    "--require-hashes",
    ...words,
    "-r",
    wanted,
    "-d",
    place,
  ]);
  const wheel = globSync(join(place, "*.whl"))[0];
  if (wheel === undefined) throw new Missing("pip downloaded nothing");
  const libraries = join(root, "lib");
  run(["unzip", "-qjo", wheel, "*/libstdc++-*", "*/libgcc_s-*", "-d", libraries]);
  for (const [pattern, name] of [
    ["libstdc++-*", "libstdc++.so.6"],
    ["libgcc_s-*", "libgcc_s.so.1"],
  ] as const) {
    const found = globSync(join(libraries, pattern))[0];
    if (found === undefined) throw new Missing(`the wheel ${LIBRARY_WHEEL} has no ${name}`);
    symlinkSync(basename(found), join(libraries, name));
  }
}

function unpack(archive: string, into: string): void {
  mkdirSync(into, { recursive: true });
  run(["dpkg-deb", "-x", archive, into]);
}

function need(...programs: string[]): void {
  const missing = programs.filter((program) => Bun.which(program) === null);
  if (missing.length > 0) throw new Missing(`${missing.join(" and ")} is not installed`);
}

function run(words: string[], cwd = "."): string {
  if (Bun.which(words[0] ?? "") === null) throw new Missing(`${words[0]} is not installed`);
  const done = Bun.spawnSync(words, { cwd, stdio: ["ignore", "pipe", "pipe"] });
  if (done.success) return done.stdout.toString();
  const said = done.stderr.toString().trim().split("\n").at(-1) ?? "";
  throw new Missing(`${words.slice(0, 2).join(" ")} failed: ${said}`);
}
