// Finds the functions of a source by the formatter's layout: a line that ends in `{` and is a head, to the next line in the
// same column that begins with `}`. Used by source.ts. Pure.

export interface FunctionBody {
  readonly name: string;
  /** Of its head, counted from 1. */
  readonly line: number;
  /** From the head to the closing brace, both included. */
  readonly lines: number;
}

const CONTROL = /^(if|for|while|switch|catch|\} (else|catch|finally))\b/;
const METHOD =
  /^(?:(?:async|static|override|private|protected|get|set) )*\*?[#\w[][\w.\]]*(?:<.*>)?\(/;

/** Functions, methods and arrows with a body, each from its head to the brace that closes it. */
export function functionsOf(code: readonly string[]): FunctionBody[] {
  const found: FunctionBody[] = [];
  const lines = withoutTemplates(code);
  lines.forEach((line, at) => {
    if (!line.endsWith("{")) return;
    // The arrow of a `? :` stands behind its sign, and its end below the arrow.
    const indent = /^\s*(?:[?:] )?/.exec(line)?.[0].length ?? 0;
    // A head of several lines ends with `): void {` or `])("name", () => {`, in the column where it has begun.
    let start = at;
    while (start > 0 && !beginsAt(lines[start], indent, /[^\])}]/)) start--;
    if (CONTROL.test(line.trim())) start = at;
    const head = lines[start]?.trim() ?? "";
    const isArrow = line.endsWith("=> {");
    const isNamed = (/\bfunction\b/.test(head) || METHOD.test(head)) && /\)(: .*)? \{$/.test(line);
    if (/^describe\b/.test(head) || !(isArrow || (isNamed && !CONTROL.test(head)))) return;
    const from = isArrow ? at : start;
    let end = at + 1;
    while (end < lines.length && !beginsAt(lines[end], indent, /\}/)) end++;
    const words = isArrow && start < at ? line : head;
    const name = nameOf(words, isArrow) ?? TITLE.exec(lines[at - 1] ?? "")?.[1];
    found.push({ name: name ?? "=>", line: from + 1, lines: end - from + 1 });
  });
  return found;
}

function beginsAt(line = "", indent: number, character: RegExp): boolean {
  return line.search(/\S/) === indent && character.test(line[indent] ?? "");
}

/** What a function is called, a test by its title. */
function nameOf(head: string, isArrow: boolean): string | undefined {
  const plain = isArrow ? [/^(?:export )?(?:const|let) (\w+)/, TITLE, /([#\w]+)(?:: | = )/] : [];
  for (const pattern of [...plain, /function\*? (\w+)/, /([#\w\].]+)(?:<.*>)?\(/]) {
    const name = pattern.exec(head)?.[1];
    if (name !== undefined) return name;
  }
  return undefined;
}

const TITLE = /["`]([^"`]+)["`]/;

const TOKEN_OF_CODE =
  /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|(?<=[(=,:] ?)\/(?:\\.|\[(?:\\.|[^\]\\])*\]|[^/\\[])+\/|`/g;
const TOKEN_OF_TEMPLATE = /\\.|`/g;

/** The lines with those left empty that begin inside of a template: their braces are text. */
function withoutTemplates(lines: readonly string[]): string[] {
  let isInside = false;
  return lines.map((line) => {
    const began = isInside;
    for (let at = 0; ;) {
      const token = isInside ? TOKEN_OF_TEMPLATE : TOKEN_OF_CODE;
      token.lastIndex = at;
      const match = token.exec(line);
      if (match === null) return began ? "" : line.trimEnd();
      if (match[0] === "`") isInside = !isInside;
      at = token.lastIndex;
    }
  });
}
