// How a person writes a key on the command line, and the bytes it stands for (cli.md: inspect, KEY). Used by
// `inspect key`. Pure.

import { fromHex } from "../../bytes.ts";
import { ArmdbError } from "../../errors.ts";

interface IntegerForm {
  readonly bytes: 4 | 8;
  readonly littleEndian: boolean;
}

const INTEGER_FORMS: Readonly<Record<string, IntegerForm>> = {
  "u64be:": { bytes: 8, littleEndian: false },
  "u64le:": { bytes: 8, littleEndian: true },
  "u32be:": { bytes: 4, littleEndian: false },
  "u32le:": { bytes: 4, littleEndian: true },
};

/**
 * The key of `keyLen` bytes that `spelling` stands for: `0x...` and `hex:...` give every byte, `u64be:` and its
 * like need that key length, `text:...` and any other word are UTF-8 padded with zeros at the end. Throws usage.
 */
export function parseKey(spelling: string, keyLen: number): Uint8Array {
  for (const prefix of ["0x", "hex:"]) {
    if (spelling.startsWith(prefix)) return hexKey(spelling, spelling.slice(prefix.length), keyLen);
  }
  for (const [prefix, form] of Object.entries(INTEGER_FORMS)) {
    if (spelling.startsWith(prefix)) {
      return integerKey(spelling, spelling.slice(prefix.length), form, keyLen);
    }
  }
  const text = spelling.startsWith("text:") ? spelling.slice("text:".length) : spelling;
  const bytes = Buffer.from(text, "utf8");
  if (bytes.length > keyLen) {
    throw badKey(spelling, `its text is ${bytes.length} bytes long, keys here have ${keyLen}`);
  }
  const key = new Uint8Array(keyLen);
  key.set(bytes);
  return key;
}

function hexKey(spelling: string, digits: string, keyLen: number): Uint8Array {
  const bytes = fromHex(digits);
  if (bytes === null) throw badKey(spelling, "it is not an even number of hex digits");
  if (bytes.length !== keyLen) {
    throw badKey(spelling, `it has ${bytes.length} bytes, keys here have ${keyLen}`);
  }
  return bytes;
}

function integerKey(
  spelling: string,
  digits: string,
  form: IntegerForm,
  keyLen: number,
): Uint8Array {
  if (form.bytes !== keyLen) {
    throw badKey(spelling, `it makes ${form.bytes} bytes, keys here have ${keyLen}`);
  }
  if (!/^(\d+|0x[0-9a-fA-F]+)$/.test(digits)) throw badKey(spelling, "it is not a whole number");
  const number = BigInt(digits);
  if (number >= 1n << BigInt(form.bytes * 8)) {
    throw badKey(spelling, `the number does not fit in ${form.bytes * 8} bits`);
  }
  const key = new Uint8Array(keyLen);
  const view = new DataView(key.buffer);
  if (form.bytes === 8) view.setBigUint64(0, number, form.littleEndian);
  else view.setUint32(0, Number(number), form.littleEndian);
  return key;
}

function badKey(spelling: string, why: string): ArmdbError {
  return new ArmdbError("usage", `Cannot read the key ${JSON.stringify(spelling)}: ${why}`, {
    hint: "0x0102..., hex:0102..., text:abc, u64be:42, u64le:42, u32be:42 or u32le:42",
  });
}
