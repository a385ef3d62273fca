// The signature inside a macOS executable. macOS kills a program whose signature does not fit its bytes, and Bun 1.4.5
// leaves its own, which does not, in what it builds for x64. Checks a signature, and writes an ad-hoc one (no identity,
// hashes only) as the linker does. Works on bytes in memory; needs no macOS.
//
//   the file:     Mach-O header, load commands, code and data ... __LINKEDIT segment, with the signature at its end
//   the signature: SuperBlob { magic, bytes, count, count x { type, offset } }, then blobs; big-endian
//   CodeDirectory: 88 bytes of header (version 0x20400), the name, then a SHA-256 for each 4096 bytes before the signature

import { createHash } from "node:crypto";

const MACH_HEADER_BYTES = 32;
const LC_SEGMENT_64 = 0x19;
const LC_CODE_SIGNATURE = 0x1d;
const SUPER_BLOB_MAGIC = 0xfade_0cc0;
const CODE_DIRECTORY_MAGIC = 0xfade_0c02;
const CODE_DIRECTORY_VERSION = 0x2_0400;
const CODE_DIRECTORY_BYTES = 88;
/** CS_ADHOC, CS_LINKER_SIGNED: codesign may replace it without being told to. */
const FLAGS = 0x2_0002;
const HASH_TYPE_SHA256 = 2;
const HASH_BYTES = 32;
const PAGE_BITS = 12;
const PAGE_BYTES = 1 << PAGE_BITS;
const SUPER_BLOB_BYTES = 12 + 8;
/** Of a segment's virtual size on both kinds of machine. */
const SEGMENT_ALIGN_BYTES = 16 * 1024;

interface Places {
  /** Of the LC_CODE_SIGNATURE command. */
  readonly command: number;
  /** Where the signature begins, which is where what it covers ends. */
  readonly signature: number;
  /** Of the LC_SEGMENT_64 commands. */
  readonly linkEdit: number;
  readonly text: number;
}

/** Null, or what is wrong with the signature of this executable. */
export function signatureFault(file: Buffer): string | null {
  const { signature } = placesOf(file);
  if (file.readUInt32BE(signature) !== SUPER_BLOB_MAGIC) return "there is no signature";
  const directory = codeDirectoryPlace(file, signature);
  if (directory === null) return "the signature has no list of hashes";
  const limit = file.readUInt32BE(directory + 32);
  if (limit !== signature) return `the signature covers ${limit} bytes of ${signature}`;
  const hashes = directory + file.readUInt32BE(directory + 16);
  const count = file.readUInt32BE(directory + 28);
  if (count !== Math.ceil(limit / PAGE_BYTES)) return `there are ${count} hashes`;
  const wrong = pageHashes(file, limit).filter((hash, page) => {
    const place = hashes + page * HASH_BYTES;
    return !hash.equals(file.subarray(place, place + HASH_BYTES));
  });
  return wrong.length === 0 ? null : `${wrong.length} of ${count} hashes do not fit the bytes`;
}

/** The executable with an ad-hoc signature in place of whatever it has. */
export function signAdHoc(file: Buffer, name: string): Buffer {
  const { command, signature, linkEdit, text } = placesOf(file);
  const pages = Math.ceil(signature / PAGE_BYTES);
  const nameBytes = Buffer.byteLength(name) + 1;
  const directoryBytes = CODE_DIRECTORY_BYTES + nameBytes + pages * HASH_BYTES;
  const signatureBytes = Math.ceil((SUPER_BLOB_BYTES + directoryBytes) / 16) * 16;

  const signed = Buffer.alloc(signature + signatureBytes);
  file.copy(signed, 0, 0, signature);
  // The load commands lie in the first page: they have to be right before it is hashed.
  signed.writeUInt32LE(signatureBytes, command + 12);
  const linkEditBytes = signed.length - Number(signed.readBigUInt64LE(linkEdit + 40));
  const linkEditSpace = Math.ceil(linkEditBytes / SEGMENT_ALIGN_BYTES) * SEGMENT_ALIGN_BYTES;
  signed.writeBigUInt64LE(BigInt(linkEditSpace), linkEdit + 32);
  signed.writeBigUInt64LE(BigInt(linkEditBytes), linkEdit + 48);

  const directory = signature + SUPER_BLOB_BYTES;
  const superBlob = [SUPER_BLOB_MAGIC, SUPER_BLOB_BYTES + directoryBytes, 1, 0, SUPER_BLOB_BYTES];
  superBlob.forEach((word, index) => signed.writeUInt32BE(word, signature + 4 * index));
  const words = [
    CODE_DIRECTORY_MAGIC,
    directoryBytes,
    CODE_DIRECTORY_VERSION,
    FLAGS,
    CODE_DIRECTORY_BYTES + nameBytes, // where the hashes begin
    CODE_DIRECTORY_BYTES, // where the name begins
    0, // special slots
    pages,
    signature, // the bytes that are covered
  ];
  words.forEach((word, index) => signed.writeUInt32BE(word, directory + 4 * index));
  signed.set([HASH_BYTES, HASH_TYPE_SHA256, 0, PAGE_BITS], directory + 36);
  const EXECUTABLE_SEGMENT_IS_MAIN = 1n;
  signed.writeBigUInt64BE(signed.readBigUInt64LE(text + 40), directory + 64);
  signed.writeBigUInt64BE(signed.readBigUInt64LE(text + 48), directory + 72);
  signed.writeBigUInt64BE(EXECUTABLE_SEGMENT_IS_MAIN, directory + 80);
  signed.write(name, directory + CODE_DIRECTORY_BYTES, "latin1");
  const hashes = directory + CODE_DIRECTORY_BYTES + nameBytes;
  pageHashes(signed, signature).forEach((hash, page) =>
    hash.copy(signed, hashes + page * HASH_BYTES),
  );
  return signed;
}

function pageHashes(file: Buffer, limit: number): Buffer[] {
  const hashes: Buffer[] = [];
  for (let place = 0; place < limit; place += PAGE_BYTES) {
    const page = file.subarray(place, Math.min(place + PAGE_BYTES, limit));
    hashes.push(createHash("sha256").update(page).digest());
  }
  return hashes;
}

function codeDirectoryPlace(file: Buffer, signature: number): number | null {
  const count = file.readUInt32BE(signature + 8);
  for (let index = 0; index < count; index++) {
    const place = signature + file.readUInt32BE(signature + 12 + 8 * index + 4);
    if (file.readUInt32BE(place) === CODE_DIRECTORY_MAGIC) return place;
  }
  return null;
}

function placesOf(file: Buffer): Places {
  const segments = new Map<string, number>();
  let command: number | null = null;
  let place = MACH_HEADER_BYTES;
  for (let index = file.readUInt32LE(16); index > 0; index--) {
    const kind = file.readUInt32LE(place);
    if (kind === LC_CODE_SIGNATURE) command = place;
    if (kind === LC_SEGMENT_64) {
      const segment = file.toString("latin1", place + 8, place + 24);
      segments.set(segment.replaceAll("\0", ""), place);
    }
    place += file.readUInt32LE(place + 4);
  }
  const linkEdit = segments.get("__LINKEDIT");
  const text = segments.get("__TEXT");
  if (command === null || linkEdit === undefined || text === undefined) {
    throw new Error("the Mach-O file has no place for a signature");
  }
  return { command, signature: file.readUInt32LE(command + 8), linkEdit, text };
}
