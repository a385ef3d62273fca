// A Disk whose reads fail where a test says so.

import type { Disk, DiskError, DiskFile } from "../../src/io/disk.ts";

/** The error of a read of [start, end) of a file, or null. */
export type ReadFault = (path: string, start: number, end: number) => DiskError | null;

/** `disk` with failing reads. */
export function failingDisk(disk: Disk, fault: ReadFault): Disk {
  return {
    ...disk,
    open(path, mode, permissions) {
      return failingFile(disk.open(path, mode, permissions), fault);
    },
  };
}

function failingFile(file: DiskFile, fault: ReadFault): DiskFile {
  return new Proxy(file, {
    get(target, name) {
      if (name === "read") {
        return (into: Uint8Array, offset: number) => {
          const error = fault(target.path, offset, offset + into.length);
          if (error !== null) throw error;
          return target.read(into, offset);
        };
      }
      const member: unknown = Reflect.get(target, name);
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}
