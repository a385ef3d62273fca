// Reads the tree below a root as the rules of checks.ts see it: names, lines, comments, imports, exports and functions. It is
// no parser: values are found by the runtime's own transpiler, the rest by the layout that `bun fmt` gives, which makes it
// exact for formatted files. Only what git tracks or does not ignore is there. Writes nothing.

import { existsSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { type FunctionBody, functionsOf } from "./functions.ts";

/** A line counted from 1, for a message. */
interface At {
  readonly line: number;
}

export interface Import extends At {
  /** The file it names, from the root on. */
  readonly path: string;
  /** What it takes from there; `*` is all of it. */
  readonly names: readonly string[];
}

export interface Export extends At {
  readonly name: string;
  /** Not a type alone: a function, a constant, a class. */
  readonly isValue: boolean;
}

export interface Comment extends At {
  readonly text: string;
}

export interface SourceFile {
  /** From the root on, with `/`. */
  readonly path: string;
  readonly lines: readonly string[];
  readonly comments: readonly Comment[];
  /** The text without its comments. */
  readonly code: string;
  readonly imports: readonly Import[];
  readonly exports: readonly Export[];
  readonly functions: readonly FunctionBody[];
}

export interface Tree {
  /** Every name at the top. */
  readonly topNames: readonly string[];
  /** The sources of src, scripts and test by their paths, sorted. */
  readonly files: ReadonlyMap<string, SourceFile>;
  /** The settings of the runtime, empty where there are none. */
  readonly bunfig: string;
}

/** Sources of any language: with an ending of these, or of sh, without any. What the real crate wrote is none. */
const SOURCE = /^(src|scripts|test)\/(?!fixtures\/)(.*\/)?[^/]+(?<=\.(ts|sh|py|rs)|\/[^.]+)$/;

/** Reads the tree of a git work tree. Throws where git does not know the root. */
export function readTree(root: string): Tree {
  const listed = Bun.spawnSync(["git", "ls-files", "-co", "--exclude-standard", "-z"], {
    cwd: root,
  });
  if (!listed.success) throw new Error(`Cannot list ${root}: ${listed.stderr}`);
  const paths = `${listed.stdout}`.split("\0").filter((path) => path !== "");
  const there = [...new Set(paths)].sort().filter((path) => existsSync(join(root, path)));
  const files = there.filter((path) => SOURCE.test(path));
  const bunfig = join(root, "bunfig.toml");
  return {
    topNames: [...new Set(there.map((path) => path.split("/")[0] ?? ""))],
    files: new Map(
      files.map((path) => [path, sourceFile(path, readFileSync(join(root, path), "utf8"))]),
    ),
    bunfig: existsSync(bunfig) ? readFileSync(bunfig, "utf8") : "",
  };
}

/** A comment that is a line, or what follows code: a sign in quotes is none. */
const COMMENT = /^\s*(?:\/\/|\/\*|\*[ /]|\*$).*|(?<=^(?:[^"'`]|"[^"]*"|'[^']*'|`[^`]*`)*\s)\/\/ .*/;
const COMMENT_OF_SHELL = /^\s*#.*|(?<=^(?:[^"']|"[^"]*"|'[^']*')*\s)#.*/;

/** One file, from its text. */
function sourceFile(path: string, text: string): SourceFile {
  const lines = text.replace(/\n$/, "").split("\n");
  const isTypeScript = path.endsWith(".ts");
  const comment = isTypeScript || path.endsWith(".rs") ? COMMENT : COMMENT_OF_SHELL;
  const found = lines.map((line) => comment.exec(line)?.[0]);
  const code = lines.map((line, at) => line.slice(0, line.length - (found[at]?.length ?? 0)));
  return {
    path,
    lines,
    comments: found.flatMap((words, at) =>
      words === undefined ? [] : [{ line: at + 1, text: words }],
    ),
    code: code.join("\n"),
    imports: isTypeScript ? importsOf(path, text) : [],
    exports: isTypeScript ? exportsOf(text) : [],
    functions: isTypeScript ? functionsOf(code) : [],
  };
}

const transpiler = new Bun.Transpiler({ loader: "ts" });
/** A whole statement, types too: the transpiler drops those. */
const STATEMENT =
  /^(?:import|export) (?:type )?(\{[^}]*\}|\*(?: as (\w+))?|\w+(?:, \{[^}]*\})?) from "(\.[^"]+)"/gm;
/** What is loaded late is taken by the name behind it, or taken apart in front of it. */
const LATE = /(?:(\{[^{}]*\}) = )?(?:\(?await )?\bimport\("(\.[^"]+)"\)\)?(?:\.(\w+))?/g;
const URL_OF_FILE = /new URL\(\s*"(\.[^"]+)"/g;

function importsOf(path: string, text: string): Import[] {
  const found = new Map<string, Import[]>();
  const add = (written: string, index: number, names: readonly string[]) => {
    const target = posix.join(dirname(path), written);
    // AssemblyScript leaves the ending out.
    const file = /\.\w+$/.test(target) ? target : `${target}.ts`;
    const one = { path: file, line: lineAt(text, index), names };
    found.set(written, [...(found.get(written) ?? []), one]);
  };
  for (const [all, clause = "", alias, from = ""] of text.matchAll(STATEMENT)) {
    const members = [...text.matchAll(new RegExp(`\\b${alias}\\.(\\w+)`, "g"))];
    const names = alias === undefined ? namesOf(clause) : members.map(([, name = ""]) => name);
    add(from, text.indexOf(all) + all.length, names);
  }
  for (const { 1: clause = "*", 2: from = "", 3: name, index } of text.matchAll(LATE)) {
    add(from, index, name === undefined ? namesOf(clause) : [name]);
  }
  for (const match of text.matchAll(URL_OF_FILE)) add(match[1] ?? "", match.index, []);
  // What is left takes nothing: `import "./x.ts"`. And no value is missed, however it is written.
  for (const { path: from } of scan(path, text)) {
    if (from.startsWith(".") && !found.has(from)) add(from, text.indexOf(`"${from}"`), []);
  }
  return [...found.values()].flat();
}

function scan(path: string, text: string): Bun.Import[] {
  try {
    return transpiler.scanImports(text);
  } catch (cause) {
    throw new Error(`Cannot read ${path}: it is no TypeScript`, { cause });
  }
}

/** `{ a, type b as c }`: a and b. */
function namesOf(clause: string): string[] {
  const inner = clause.replace(/^\w+(?=,|$)/, "default,").replace(/[{}]/g, "");
  const words = inner.split(",").map((word) => word.trim().replace(/^type /, ""));
  return words.filter((word) => word !== "").map((word) => word.split(/ as |: /)[0] ?? "");
}

const DECLARATION =
  /^export (?:default )?(?:abstract |async |declare )*(function\*?|const|let|class|enum|interface|type) (\w+)/gm;
const EXPORT_LIST = /^export (type )?\{([^}]*)\}/gm;

function exportsOf(text: string): Export[] {
  const declared = [...text.matchAll(DECLARATION)].map((match) => ({
    name: match[2] ?? "",
    line: lineAt(text, match.index),
    isValue: match[1] !== "interface" && match[1] !== "type",
  }));
  const listed = [...text.matchAll(EXPORT_LIST)].flatMap((match) =>
    (match[2] ?? "").split(",").flatMap((word) => {
      const name = word.trim().split(" ").at(-1) ?? "";
      const isValue = match[1] === undefined && !word.trim().startsWith("type ");
      return name === "" ? [] : [{ name, line: lineAt(text, match.index), isValue }];
    }),
  );
  return [...declared, ...listed];
}

/** The line in which the character at `index` is. */
function lineAt(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}
