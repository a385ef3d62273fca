// The ad-hoc signature of macOS executables, on a Mach-O file made here: what is written is what the loader looks for, byte by
// byte, and what does not fit is found.

import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { signAdHoc, signatureFault } from "../../scripts/releasing/mach-o-signature.ts";

const SEGMENT_COMMAND = 0x19;
const SIGNATURE_COMMAND = 0x1d;
const TEXT_AT = 32;
const LINK_EDIT_AT = TEXT_AT + 72;
const COMMAND_AT = LINK_EDIT_AT + 72;
/** Two and a half pages of code and data before the signature. */
const CODE_BYTES = 10_240;
const OLD_SIGNATURE_BYTES = 64;

/** A Mach-O file with the parts that a signature concerns; its signature is rubbish. */
function machO(): Buffer {
  const file = Buffer.alloc(CODE_BYTES + OLD_SIGNATURE_BYTES, 0x5a);
  file.fill(0, 0, COMMAND_AT + 16);
  file.writeUInt32LE(0xfeed_facf, 0);
  file.writeUInt32LE(3, 16);
  segment(file, TEXT_AT, "__TEXT", 0, 8192);
  segment(file, LINK_EDIT_AT, "__LINKEDIT", 8192, file.length - 8192);
  file.writeUInt32LE(SIGNATURE_COMMAND, COMMAND_AT);
  file.writeUInt32LE(16, COMMAND_AT + 4);
  file.writeUInt32LE(CODE_BYTES, COMMAND_AT + 8);
  file.writeUInt32LE(OLD_SIGNATURE_BYTES, COMMAND_AT + 12);
  return file;
}

function segment(file: Buffer, at: number, name: string, offset: number, bytes: number): void {
  file.writeUInt32LE(SEGMENT_COMMAND, at);
  file.writeUInt32LE(72, at + 4);
  file.write(name, at + 8, "latin1");
  file.writeBigUInt64LE(BigInt(offset), at + 40);
  file.writeBigUInt64LE(BigInt(bytes), at + 48);
}

describe("signAdHoc", () => {
  test("writes a super blob with one code directory, and a hash a page", () => {
    const signed = signAdHoc(machO(), "armdb");
    const at = CODE_BYTES;
    expect(signed.readUInt32BE(at)).toBe(0xfade_0cc0);
    expect(signed.readUInt32BE(at + 8)).toBe(1);
    const directory = at + signed.readUInt32BE(at + 16);
    expect(signed.readUInt32BE(directory)).toBe(0xfade_0c02);
    const name = directory + signed.readUInt32BE(directory + 20);
    expect(signed.toString("latin1", name, name + 6)).toBe("armdb\0");
    expect(signed.readUInt32BE(directory + 28)).toBe(3);
    expect(signed.readUInt32BE(directory + 32)).toBe(CODE_BYTES);
    const hashes = directory + signed.readUInt32BE(directory + 16);
    const pages = [
      signed.subarray(0, 4096),
      signed.subarray(4096, 8192),
      signed.subarray(8192, CODE_BYTES),
    ];
    for (const [index, page] of pages.entries()) {
      const wanted = createHash("sha256").update(page).digest("hex");
      expect(signed.toString("hex", hashes + 32 * index, hashes + 32 * index + 32)).toBe(wanted);
    }
  });

  test("makes command and segment end with the file, and keeps everything else", () => {
    const file = machO();
    const signed = signAdHoc(file, "armdb");
    expect(signed.readUInt32LE(COMMAND_AT + 12)).toBe(signed.length - CODE_BYTES);
    expect(Number(signed.readBigUInt64LE(LINK_EDIT_AT + 48))).toBe(signed.length - 8192);
    expect(Number(signed.readBigUInt64LE(LINK_EDIT_AT + 32)) % 16384).toBe(0);
    expect(signed.subarray(COMMAND_AT + 16, CODE_BYTES)).toEqual(
      file.subarray(COMMAND_AT + 16, CODE_BYTES),
    );
    expect(signAdHoc(signed, "armdb")).toEqual(signed);
  });
});

describe("signatureFault", () => {
  test("finds nothing wrong with what signAdHoc wrote", () => {
    expect(signatureFault(signAdHoc(machO(), "armdb"))).toBeNull();
  });

  test("finds that there is none", () => {
    expect(signatureFault(machO())).toBe("there is no signature");
  });

  test.each([COMMAND_AT + 40, 4096, CODE_BYTES - 1])("finds a changed byte at %d", (at) => {
    const signed = signAdHoc(machO(), "armdb");
    signed.writeUInt8(signed.readUInt8(at) ^ 1, at);
    expect(signatureFault(signed)).toBe("1 of 3 hashes do not fit the bytes");
  });

  test("finds that the file grew before the signature", () => {
    const signed = signAdHoc(machO(), "armdb");
    const directory = CODE_BYTES + 20;
    signed.writeUInt32BE(CODE_BYTES - 4096, directory + 32);
    expect(signatureFault(signed)).toContain("covers");
  });
});
