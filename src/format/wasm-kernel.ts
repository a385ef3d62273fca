// Loads build/kernel.wasm (source: src/wasm, made by scripts/build-wasm) and gives it a memory. Used by the
// classes that run it: format/wasm-slot-scanner.ts, audit/scan/wasm-duplicate-pass.ts and replica/apply/wasm-applier.ts. The bytes are part of a compiled
// executable; each thread compiles them once. The memory is laid out here, all of it, as the kernel allocates nothing.
//
// A process has eight memories with guard pages, 4 GiB of address space each; any further one, or with a low `ulimit -v`
// each one, checks its bounds instead: a crc of the kernel's own then takes a third longer, all else the same.

import { readFileSync } from "node:fs";
import kernelPath from "../../build/kernel.wasm" with { type: "file" };
import { AREAS_START } from "../wasm/cells.ts";

/** The functions of src/wasm/kernel.ts. */
export interface KernelFunctions {
  apply(events: number, eventsEnd: number, count: number, options: number): number;
  scan(first: number, end: number, crcs: number): number;
  prepareSpans(): void;
  spanCrc(first: number, end: number): number;
  deal(from: number, slots: number, first: number): number;
  thin(bucket: number): void;
  findDoubles(bucket: number): number;
  touch(slot: number): void;
}

/** A kernel with its own memory. Views of it go stale when it grows. */
export interface Kernel extends KernelFunctions {
  readonly memory: WebAssembly.Memory;
}

export const PAGE_BYTES = 64 * 1024;
/** A page less than 4 GiB: the address behind the last byte is a u32 too. */
const PAGES_MAX = 65_535;
/**
 * Shortest key and value, together, whose crc is taken by a native call on a view made beforehand. Measured at 72, 96, 116
 * and 120 bytes: -4, -13, -17 and -30 % of a whole slot; another machine broke even at some 170.
 */
export const CRC_NATIVE_BYTES_MIN = 112;

let compiled: WebAssembly.Module | null = null;

/** Compiles the kernel for this thread, unless that is done. */
export function compileKernel(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(readFileSync(kernelPath));
  return compiled;
}

/** A kernel over a new memory of at least `bytes`, or null when the process cannot have that memory. */
export function newKernel(bytes: number): Kernel | null {
  const pages = Math.ceil(bytes / PAGE_BYTES);
  if (pages > PAGES_MAX) return null;
  let memory: WebAssembly.Memory;
  try {
    memory = new WebAssembly.Memory({ initial: pages });
  } catch (thrown) {
    if (thrown instanceof RangeError || thrown instanceof TypeError) return null;
    throw thrown;
  }
  const { exports } = new WebAssembly.Instance(compileKernel(), { env: { memory } });
  const functions = exports as unknown as KernelFunctions & { prepare(): void };
  functions.prepare();
  return { memory, ...functions };
}

/** Makes the kernel's memory at least `bytes` long. False, and as before, when the process cannot have that memory. */
export function growKernel({ memory }: Kernel, bytes: number): boolean {
  if (Math.ceil(bytes / PAGE_BYTES) > PAGES_MAX) return false;
  const pages = Math.ceil((bytes - memory.buffer.byteLength) / PAGE_BYTES);
  if (pages <= 0) return true;
  try {
    memory.grow(pages);
  } catch (thrown) {
    if (thrown instanceof RangeError || thrown instanceof TypeError) return false;
    throw thrown;
  }
  return true;
}

/** Hands out the addresses of areas, one after the other, each on a cache line of its own. */
export class AreaPlan {
  #end = AREAS_START;

  /** Address of a new area of `bytes`. */
  area(bytes: number): number {
    const start = this.#end;
    this.#end = Math.ceil((start + bytes) / 64) * 64;
    return start;
  }

  /** Where the next area would begin. */
  get end(): number {
    return this.#end;
  }
}
