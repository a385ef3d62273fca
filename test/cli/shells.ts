// Asks the real shells what they would complete. A shell that is not there is skipped with a note, except in CI, where
// all three have to be there.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { has } from "../support/needs.ts";

export type Shell = "bash" | "zsh" | "fish";

/** True when the shell can be run here; notes it when not. Throws in CI. */
export function hasShell(shell: Shell): boolean {
  if (has(shell)) return true;
  if (process.env["CI"]) throw new Error(`${shell} is not installed`);
  return false;
}

/** What the shell offers for the last word of `line`, sorted. Runs in a directory with `alpha/`, `beta/` and `file.txt`. */
export async function complete(shell: Shell, script: string, line: string): Promise<string[]> {
  const place = mkdtempSync(join(tmpdir(), "armdb-completion-"));
  try {
    mkdirSync(join(place, "alpha"));
    mkdirSync(join(place, "beta gamma"));
    writeFileSync(join(place, "file.txt"), "");
    writeFileSync(join(place, ".script"), script);
    const output = await runShell(shell, place, line);
    const words = output
      .split("\n")
      .map((word) => word.replace(/\/$/, "").replaceAll("\\ ", " ").trim());
    return [...new Set(words)].filter((word) => word !== "" && word !== ".script").sort();
  } finally {
    rmSync(place, { recursive: true });
  }
}

const DRIVERS: Readonly<Record<Shell, (line: string) => string>> = {
  bash: (line) => `
source ./.script
words=(${line})
[[ ${quote(line)} == *" " ]] && words+=("")
COMP_WORDS=(); for word in "\${words[@]}"; do
  # bash itself cuts words at "=".
  while [[ $word == *=* ]]; do COMP_WORDS+=("\${word%%=*}" "="); word="\${word#*=}"; done; COMP_WORDS+=("$word")
done
COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
_armdb
printf '%s\\n' "\${COMPREPLY[@]}"`,
  // zsh completes inside its line editor only: a second zsh on a pseudo-terminal types the line and Tab.
  zsh: (line) => `
zmodload zsh/zpty
zpty inner zsh -f -i
type_line() { zpty -w inner "$1"; }
type_line "PROMPT= RPROMPT=; unsetopt zle_bracketed_paste; stty columns 200 rows 200 -echo"
type_line "autoload -Uz compinit && compinit -u -d ./.zcompdump && source ./.script"
type_line "zstyle ':completion:*' list-grouped no; zstyle ':completion:*' verbose no"
type_line "LISTMAX=0; LIST_TYPES=; setopt no_list_types no_list_beep"
type_line "capture() { compstate[list]=; compstate[insert]=; print -r -- '<<<'; for match in \\$__found; do print -r -- \\$match; done; print -r -- '>>>'; }"
type_line 'compadd() { if [[ \${@[1,(i)(-|--)]} == *-(O|A|D)* ]]; then builtin compadd "$@"; return; fi; typeset -g -a __hits; builtin compadd -A __hits "$@"; __found+=("\${__hits[@]}"); builtin compadd "$@"; }'
type_line "typeset -g -a __found; comppostfuncs=(capture)"
type_line "bindkey '^I' complete-word; zle -C complete-word complete-word _main_complete"
type_line 'print ready-\${:-now}'
text=""; while zpty -r inner text; do [[ $text == *ready-now* ]] && break; done
zpty -w -n inner ${quote(line)}$'\\t'
inside=0
while zpty -r inner text; do
  text="\${text//$'\\r'/}"; text="\${text%$'\\n'}"
  [[ $text == *'<<<'* ]] && { inside=1; continue }
  [[ $text == *'>>>'* ]] && break
  ((inside)) && print -r -- "$text"
done
zpty -d inner`,
  fish: (line) => `
source ./.script
for entry in (complete -C ${quote(line)}); string split -f1 \\t -- $entry; end; true`,
};

async function runShell(shell: Shell, directory: string, line: string): Promise<string> {
  const flags = shell === "bash" ? ["--norc", "-c"] : shell === "zsh" ? ["-f", "-c"] : ["-c"];
  const child = Bun.spawn([shell, ...flags, DRIVERS[shell](line)], {
    cwd: directory,
    env: { PATH: process.env["PATH"] ?? "", HOME: directory, TERM: "xterm", LC_ALL: "C.UTF-8" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: 20_000,
  });
  const [output, problems] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  if ((await child.exited) !== 0) throw new Error(`${shell} failed for "${line}": ${problems}`);
  return output;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
