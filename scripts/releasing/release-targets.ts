// What a release holds: a row a target, and how the head of its executable has to look. Pure but for reading the head.

import { closeSync, openSync, readSync } from "node:fs";

export type Cpu = "x64" | "arm64";

export interface ReleaseTarget {
  /** `linux-x64-musl`: as in the file's name and in `armdb version`. */
  readonly name: string;
  /** The package with the Bun that it is built upon; bun.lock pins its bytes. */
  readonly runtime: string;
  readonly os: "linux" | "darwin";
  readonly cpu: Cpu;
  readonly libc: "glibc" | "musl" | null;
  /** The loader that a Linux executable names. */
  readonly loader: string | null;
}

export const RELEASE_TARGETS: readonly ReleaseTarget[] = [
  {
    name: "linux-x64",
    runtime: "@oven/bun-linux-x64",
    os: "linux",
    cpu: "x64",
    libc: "glibc",
    loader: "/lib64/ld-linux-x86-64.so.2",
  },
  {
    name: "linux-arm64",
    runtime: "@oven/bun-linux-aarch64",
    os: "linux",
    cpu: "arm64",
    libc: "glibc",
    loader: "/lib/ld-linux-aarch64.so.1",
  },
  {
    name: "linux-x64-musl",
    runtime: "@oven/bun-linux-x64-musl",
    os: "linux",
    cpu: "x64",
    libc: "musl",
    loader: "/lib/ld-musl-x86_64.so.1",
  },
  {
    name: "linux-arm64-musl",
    runtime: "@oven/bun-linux-aarch64-musl",
    os: "linux",
    cpu: "arm64",
    libc: "musl",
    loader: "/lib/ld-musl-aarch64.so.1",
  },
  {
    name: "darwin-arm64",
    runtime: "@oven/bun-darwin-aarch64",
    os: "darwin",
    cpu: "arm64",
    libc: null,
    loader: null,
  },
  {
    name: "darwin-x64",
    runtime: "@oven/bun-darwin-x64",
    os: "darwin",
    cpu: "x64",
    libc: null,
    loader: null,
  },
];

/** `armdb-0.1.0-linux-x64` */
export function releaseFileName(target: ReleaseTarget, version: string): string {
  return `armdb-${version}-${target.name}`;
}

const HEAD_BYTES = 64 * 1024;
const ELF_MACHINE: Readonly<Record<Cpu, number>> = { x64: 62, arm64: 183 };
const MACH_O_CPU: Readonly<Record<Cpu, number>> = { x64: 0x0100_0007, arm64: 0x0100_000c };
const PROGRAM_HEADER_INTERPRETER = 3;

/** Null, or why this file is not an executable for the target. Builds for one libc have come out for the other before. */
export function targetFault(path: string, target: ReleaseTarget): string | null {
  const head = readHead(path);
  return target.os === "linux" ? elfFault(head, target) : machOFault(head, target);
}

function readHead(path: string): DataView {
  const head = new Uint8Array(HEAD_BYTES);
  const fd = openSync(path, "r");
  try {
    const count = readSync(fd, head, 0, HEAD_BYTES, 0);
    return new DataView(head.buffer, 0, count);
  } finally {
    closeSync(fd);
  }
}

function elfFault(head: DataView, target: ReleaseTarget): string | null {
  if (head.getUint32(0) !== 0x7f45_4c46) return "it is not an ELF file";
  const machine = head.getUint16(18, true);
  if (machine !== ELF_MACHINE[target.cpu]) return `it is for machine ${machine}`;
  const loader = elfLoader(head);
  return loader === target.loader ? null : `its loader is ${loader ?? "none"}`;
}

function elfLoader(head: DataView): string | null {
  const headers = Number(head.getBigUint64(32, true));
  const headerBytes = head.getUint16(54, true);
  const count = head.getUint16(56, true);
  for (let place = headers; place < headers + count * headerBytes; place += headerBytes) {
    if (head.getUint32(place, true) !== PROGRAM_HEADER_INTERPRETER) continue;
    const start = Number(head.getBigUint64(place + 8, true));
    const bytes = Number(head.getBigUint64(place + 32, true));
    return Buffer.from(head.buffer, start, bytes - 1).toString("latin1");
  }
  return null;
}

function machOFault(head: DataView, target: ReleaseTarget): string | null {
  if (head.getUint32(0, true) !== 0xfeed_facf) return "it is not a 64-bit Mach-O file";
  const cpu = head.getUint32(4, true);
  return cpu === MACH_O_CPU[target.cpu] ? null : `it is for cpu type ${cpu.toString(16)}`;
}
