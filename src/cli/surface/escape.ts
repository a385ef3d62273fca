// Makes text that others wrote safe to show: leader text, keys, file names, values of variables. Used before such text
// reaches a terminal, a log or JSON. Escaping twice changes nothing: backslashes are left alone.

/** Controls (C0, DEL, C1), format characters (bidi marks, zero width, tags), lone surrogates, unassigned code points. */
const UNSAFE = /[\p{C}\p{Zl}\p{Zp}]/u;
const UNSAFE_ALL = /[\p{C}\p{Zl}\p{Zp}]/gu;
/** Our own colours, or one unsafe character. */
// biome-ignore lint: the escape character is what is looked for
const STYLE_OR_UNSAFE = /(\x1b\[[0-9;]{0,16}m)|[\p{C}\p{Zl}\p{Zp}]/gu;

/** One line of safe text: what cannot be shown becomes `\n`, `\x1b`, `\u202e`. */
export function escapeText(text: string): string {
  return UNSAFE.test(text) ? text.replace(UNSAFE_ALL, escapeCharacter) : text;
}

/** As `escapeText`, for raw bytes: sound UTF-8 is shown, every other byte becomes `\xNN`. */
export function escapeBytes(bytes: Uint8Array): string {
  let shown = "";
  let start = 0;
  while (start < bytes.length) {
    const length = sequenceLength(bytes, start);
    if (length === 0) {
      shown += hexEscape(bytes[start] ?? 0);
      start += 1;
    } else {
      shown += new TextDecoder("utf-8", { ignoreBOM: true }).decode(
        bytes.subarray(start, start + length),
      );
      start += length;
    }
  }
  return escapeText(shown);
}

/**
 * The last guard before a stream: lets through newlines, tabs and, where `styled`, colour sequences; escapes the rest.
 * Callers escape foreign text themselves; this keeps a forgotten place from moving the cursor.
 */
export function defuse(text: string, styled: boolean): string {
  if (!UNSAFE.test(text)) return text;
  return text.replace(STYLE_OR_UNSAFE, (found: string, style: string | undefined) => {
    if (style !== undefined && styled) return style;
    if (style !== undefined) return escapeText(style);
    return found === "\n" || found === "\t" ? found : escapeCharacter(found);
  });
}

/** JSON text (already valid) with everything escaped that a terminal might act upon. */
export function escapeJson(json: string): string {
  if (!UNSAFE.test(json)) return json;
  return json.replace(UNSAFE_ALL, (found) => {
    let escaped = "";
    for (let index = 0; index < found.length; index++) {
      escaped += `\\u${found.charCodeAt(index).toString(16).padStart(4, "0")}`;
    }
    return escaped;
  });
}

function escapeCharacter(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code === 0x0a) return "\\n";
  if (code === 0x0d) return "\\r";
  if (code === 0x09) return "\\t";
  if (code < 0x100) return hexEscape(code);
  if (code < 0x10000) return `\\u${code.toString(16).padStart(4, "0")}`;
  return `\\u{${code.toString(16)}}`;
}

function hexEscape(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, "0")}`;
}

/** Bytes of the UTF-8 sequence at `start`, 0 when there is no sound one. */
function sequenceLength(bytes: Uint8Array, start: number): number {
  const lead = bytes[start] ?? 0;
  if (lead < 0x80) return 1;
  const length = lead >= 0xc2 && lead < 0xe0 ? 2 : lead >= 0xe0 && lead < 0xf0 ? 3 : 4;
  if (lead < 0xc2 || lead > 0xf4 || start + length > bytes.length) return 0;
  for (let index = 1; index < length; index++) {
    if (((bytes[start + index] ?? 0) & 0xc0) !== 0x80) return 0;
  }
  const second = bytes[start + 1] ?? 0;
  // Overlong forms, surrogates and code points past U+10FFFF.
  if (lead === 0xe0 && second < 0xa0) return 0;
  if (lead === 0xed && second >= 0xa0) return 0;
  if (lead === 0xf0 && second < 0x90) return 0;
  if (lead === 0xf4 && second >= 0x90) return 0;
  return length;
}
