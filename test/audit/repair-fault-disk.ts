// A Disk over the real one that dies at a chosen call, as a process killed there would: that call is not made, and none
// after it. Also counts calls and fails single ones with an errno. `release` closes what the dead process held open.

import { type Disk, DiskError, type DiskFile } from "../../src/io/disk.ts";
import { realDisk } from "../../src/io/real-disk.ts";

/** Neither an ArmdbError nor a DiskError: no catch of the program may swallow it. */
export class Killed extends Error {
  constructor(call: number) {
    super(`killed at disk call ${call}`);
    this.name = "Killed";
  }
}

export type Fault =
  | { readonly kind: "none" }
  /** The process dies before this call, counted from 0. */
  | { readonly kind: "kill"; readonly at: number }
  /** This one call fails. */
  | { readonly kind: "error"; readonly at: number; readonly errno: string };

const CHANGING = new Set([
  "create",
  "write",
  "truncate",
  "preallocate",
  "own",
  "makeDirectory",
  "rename",
  "remove",
  "syncData",
  "sync",
  "syncDirectory",
]);

export class FaultDisk implements Disk {
  readonly #fault: Fault;
  readonly #open = new Set<DiskFile>();
  #calls = 0;
  /** Names of all calls so far, in order. */
  readonly log: string[] = [];

  constructor(fault: Fault = { kind: "none" }) {
    this.#fault = fault;
  }

  /** Numbers of the calls that change something, or make it durable. */
  get changingCalls(): number[] {
    return this.log.flatMap((name, index) =>
      CHANGING.has(name.split(" ")[0] ?? "") ? [index] : [],
    );
  }

  release(): void {
    for (const file of this.#open) file.close();
    this.#open.clear();
  }

  open: Disk["open"] = (path, mode, permissions) => {
    const name = mode === "create" ? "create" : `open-${mode}`;
    const file = this.#call(name, path, () => realDisk.open(path, mode, permissions));
    this.#open.add(file);
    return this.#wrap(file);
  };

  facts: Disk["facts"] = (path) => this.#call("facts", path, () => realDisk.facts(path));
  freeBytes: Disk["freeBytes"] = (path) => realDisk.freeBytes(path);
  list: Disk["list"] = (path) => this.#call("list", path, () => realDisk.list(path));
  makeDirectory: Disk["makeDirectory"] = (path, mode) =>
    this.#call("makeDirectory", path, () => realDisk.makeDirectory(path, mode));
  own: Disk["own"] = (path, uid, gid, mode) =>
    this.#call("own", path, () => realDisk.own(path, uid, gid, mode));
  rename: Disk["rename"] = (from, to) =>
    this.#call("rename", from, () => realDisk.rename(from, to));
  remove: Disk["remove"] = (path) => this.#call("remove", path, () => realDisk.remove(path));
  syncDirectory: Disk["syncDirectory"] = (path) =>
    this.#call("syncDirectory", path, () => realDisk.syncDirectory(path));

  #wrap(file: DiskFile): DiskFile {
    const call = <T>(name: string, run: () => T) => this.#call(name, file.path, run);
    return {
      path: file.path,
      size: () => call("size", () => file.size()),
      read: (into, offset) => call("read", () => file.read(into, offset)),
      willRead: () => {},
      nextData: (offset) => file.nextData(offset),
      blocksFetched: () => 0,
      write: (bytes, offset) => call("write", () => file.write(bytes, offset)),
      writePart: (memory, start, end, offset) =>
        call("write", () => file.writePart(memory, start, end, offset)),
      preallocate: (bytes) => call("preallocate", () => file.preallocate(bytes)),
      truncate: (bytes) => call("truncate", () => file.truncate(bytes)),
      syncData: () => call("syncData", () => file.syncData()),
      sync: () => call("sync", () => file.sync()),
      dropCache: () => call("dropCache", () => file.dropCache()),
      lock: (kind) => call("lock", () => file.lock(kind)),
      facts: () => call("facts", () => file.facts()),
      own: (uid, gid, mode) => call("own", () => file.own(uid, gid, mode)),
      close: () =>
        call("close", () => {
          this.#open.delete(file);
          file.close();
        }),
    };
  }

  #call<T>(name: string, path: string, run: () => T): T {
    const fault = this.#fault;
    const number = this.#calls++;
    if (fault.kind === "kill" && number >= fault.at) throw new Killed(number);
    this.log.push(`${name} ${path}`);
    if (fault.kind === "error" && number === fault.at) throw new DiskError(name, path, fault.errno);
    return run();
  }
}
