// The documents of the project as the tests see them: fenced blocks with what their first line says, headings, links, entries.
//
// A block of commands begins with "sh" and may say more, which readers of the rendered page do not see. Blocks that say neither
// with= nor in= run in the order of the page, in the page's own place, which begins as a fresh machine: so a page that sets
// something up has to do all of it. A block that fails may take those behind it along.
//
//   with=replica   a place of its own that is set up already (prepared.ts): replica, damaged or live. For blocks that are looked up
//   in=tour        the place of that name on this page, in the order of the page; the first block there may say with=
//   exit=3         ends with this status, not 0
//   again=4        is run again while it ends with this status, a few times: a leader that lost events is being scanned
//   keeps=text     goes on: it is waited until its output has the text, and it runs until the place is left
//   stop=text      the one that keeps=text began is stopped as by Ctrl-C before
//   killed=text    the block ends the one that keeps=text began
//   users=app      the machine has this user already
//   path=dist      this directory is in the PATH, here and in the blocks that follow there
//   by=gate        is run elsewhere (see commands.test.ts)

import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const ROOT = resolve(import.meta.dir, "../..");

export interface Block {
  readonly language: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly text: string;
  /** Of the opening fence, from 1. */
  readonly line: number;
}

export interface Document {
  /** `docs/operating.md` */
  readonly path: string;
  readonly text: string;
  readonly blocks: readonly Block[];
}

/** A heading `### name` with the text below it, until the next heading. */
export interface Entry {
  readonly name: string;
  readonly text: string;
}

export function readDocument(path: string): Document {
  const text = readFileSync(join(ROOT, path), "utf8");
  return { path, text, blocks: blocksOf(text) };
}

/** Every document of the project, the README first. */
export function readDocuments(): readonly Document[] {
  const isDocument = (name: string) => name.endsWith(".md");
  const root = readdirSync(ROOT).filter(isDocument).sort();
  const below = readdirSync(join(ROOT, "docs")).filter(isDocument).sort();
  const names = [...root, ...below.map((name) => `docs/${name}`)];
  names.sort((left, right) => Number(right === "README.md") - Number(left === "README.md"));
  return names.map(readDocument);
}

function blocksOf(text: string): Block[] {
  const blocks: Block[] = [];
  const lines = text.split("\n");
  for (let at = 0; at < lines.length; at++) {
    const fence = /^```(\S*) ?(.*)$/.exec(lines[at] ?? "");
    if (fence === null) continue;
    const end = lines.indexOf("```", at + 1);
    if (end === -1) throw new Error(`line ${at + 1}: the block has no end`);
    blocks.push({
      language: fence[1] ?? "",
      attributes: attributesOf(fence[2] ?? ""),
      text: lines.slice(at + 1, end).join("\n"),
      line: at + 1,
    });
    at = end;
  }
  return blocks;
}

function attributesOf(text: string): Record<string, string> {
  const words = text.split(" ").filter((word) => word !== "");
  return Object.fromEntries(words.map((word) => [word.split("=")[0], word.split("=")[1] ?? ""]));
}

/** The text without fenced blocks. */
export function proseOf({ text }: Document): string {
  return text.replace(/^```[\s\S]*?^```$/gm, "");
}

/** The part of a document between a heading `## name` and the next of that kind. */
export function sectionOf({ path, text }: Document, name: string): string {
  const found = text.split(/^## /m).find((part) => part.startsWith(`${name}\n`));
  if (found === undefined) throw new Error(`${path} has no section "${name}"`);
  return found;
}

/** Entries whose heading begins with a word in backticks: that word is the name. */
export function entriesOf(section: string): readonly Entry[] {
  return section
    .split(/^### /m)
    .slice(1)
    .map((text) => ({ name: /^`([^`]+)`/.exec(text)?.[1] ?? text.split("\n")[0] ?? "", text }));
}

/** `## A short tour` is reached by `#a-short-tour`, as the usual hosts make it. */
export function anchorsOf(document: Document): ReadonlySet<string> {
  const headings = proseOf(document).matchAll(/^#{1,6} (.+)$/gm);
  return new Set(
    [...headings].map(([, heading = ""]) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, "")
        .replaceAll(" ", "-"),
    ),
  );
}
