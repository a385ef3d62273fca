// Datagrams to the service manager (sd_notify): the runtime has no datagram sockets of the unix family, so this is the second
// place of bun:ffi, with three system calls. Used by status/service-notices.ts. Linux only; never blocks, never throws once
// it is open.

import { dlopen, FFIType, type Pointer, read } from "bun:ffi";
import { ArmdbError } from "../errors.ts";
import { errnoName } from "./libc.ts";

/** Where notices go. */
export interface NoticeSocket {
  /** Null: it was taken; else the errno (`EWOULDBLOCK`: the last ones are not read yet, `ECONNREFUSED`: nobody is there). */
  send(text: string): string | null;
  close(): void;
}

const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
const MSG_DONTWAIT_NOSIGNAL = 0x40 | 0x4000;
/** sun_path, with its closing zero for names in the file system. */
const SUN_PATH_BYTES_MAX = 108;

function load() {
  try {
    const { symbols } = dlopen("libc.so.6", {
      socket: { args: ["i32", "i32", "i32"], returns: "i32" },
      sendto: {
        args: ["i32", "buffer", "buffer_length", "i32", "buffer", "u32"],
        returns: FFIType.i64_fast,
      },
      close: { args: ["i32"], returns: "i32" },
      __errno_location: { args: [], returns: "ptr" },
    });
    return { ...symbols, errnoPlace: symbols.__errno_location() as Pointer };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `The service manager cannot be spoken to on this system: ${reason}`;
    throw new ArmdbError("unexpected", message, { cause });
  }
}

/**
 * Opens a socket for datagrams to `name`: a path, or `@` and a name in the abstract space. Throws `usage` for a name that
 * cannot be one, `unexpected` where the system gives no socket.
 */
export function openNoticeSocket(name: string): NoticeSocket {
  const address = addressOf(name);
  const symbols = load();
  const fd = symbols.socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
  if (fd < 0) {
    const reason = errnoName(read.i32(symbols.errnoPlace, 0));
    throw new ArmdbError("unexpected", `Cannot open a socket for the service manager: ${reason}`);
  }
  return {
    send(text) {
      const bytes = Buffer.from(text, "utf8");
      const sent = symbols.sendto(fd, bytes, bytes, MSG_DONTWAIT_NOSIGNAL, address, address.length);
      return Number(sent) < 0 ? errnoName(read.i32(symbols.errnoPlace, 0)) : null;
    },
    close: () => void symbols.close(fd),
  };
}

/** struct sockaddr_un: the family, then the path with a zero behind it, or a zero with the abstract name behind it. */
function addressOf(name: string): Uint8Array {
  const isAbstract = name.startsWith("@");
  const path = Buffer.from(isAbstract ? name.slice(1) : name, "utf8");
  if ((!isAbstract && !name.startsWith("/")) || path.length + 1 > SUN_PATH_BYTES_MAX) {
    throw new ArmdbError("usage", `NOTIFY_SOCKET is "${name}", which is no unix socket`, {
      hint: "it is set by the service manager; unset it to run without",
    });
  }
  const address = new Uint8Array(2 + path.length + 1);
  new DataView(address.buffer).setUint16(0, AF_UNIX, true);
  address.set(path, isAbstract ? 3 : 2);
  return address;
}
