// The alerts of docs/operating.md, evaluated as Prometheus would: as much of its language as they use. Scrapes are texts of /metrics;
// an alert fires when its expression has given something at every scrape for as long as `for` says.

import { readDocument } from "./documents.ts";

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
}

interface Scrape {
  readonly atMs: number;
  /** By name, then by labels as they are written. */
  readonly series: ReadonlyMap<string, ReadonlyMap<string, number>>;
}

/** By labels. */
type Vector = ReadonlyMap<string, number>;

const UNITS_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };

function durationMs(text: string): number {
  const [, number = "", unit = ""] = /^(\d+)([smh])$/.exec(text) ?? [];
  const unitMs = UNITS_MS[unit];
  if (unitMs === undefined) throw new Error(`no duration: ${text}`);
  return Number(number) * unitMs;
}

export function readRules(): readonly Rule[] {
  const { blocks } = readDocument("docs/operating.md");
  const yaml = blocks.find(({ language }) => language === "yaml")?.text ?? "";
  const { groups } = Bun.YAML.parse(yaml) as { groups: { rules: Rule[] }[] };
  return groups.flatMap(({ rules }) => rules);
}

/** What scrapes a follower and watches the rules. */
export class Prometheus {
  readonly #rules: readonly Rule[];
  readonly #scrapes: Scrape[] = [];
  /** Since when an alert's labels have been active. */
  readonly #activeSinceMs = new Map<string, number>();
  /** Every alert that has fired. */
  readonly fired = new Set<string>();

  constructor(rules: readonly Rule[]) {
    this.#rules = rules;
  }

  /** `text` null: nobody answers. */
  scrape(atMs: number, text: string | null): void {
    const series = new Map(seriesOf(text ?? ""));
    series.set("up", new Map([['job="armdb"', text === null ? 0 : 1]]));
    this.#scrapes.push({ atMs, series });
    for (const rule of this.#rules) this.#evaluate(rule, atMs);
  }

  #evaluate({ alert, expr, for: lasting = "0s" }: Rule, atMs: number): void {
    const found = new Expression(expr, this.#scrapes).value();
    if (typeof found === "number") throw new Error(`${expr} gives a number`);
    for (const key of [...this.#activeSinceMs.keys()]) {
      const [name, labels = ""] = key.split("\n");
      if (name === alert && !found.has(labels)) this.#activeSinceMs.delete(key);
    }
    for (const labels of found.keys()) {
      const key = `${alert}\n${labels}`;
      const sinceMs = this.#activeSinceMs.get(key) ?? atMs;
      this.#activeSinceMs.set(key, sinceMs);
      if (atMs - sinceMs >= durationMs(lasting)) this.fired.add(alert);
    }
  }
}

function seriesOf(text: string): Map<string, Map<string, number>> {
  const series = new Map<string, Map<string, number>>();
  for (const line of text.split("\n")) {
    const [, name = "", labels = "", value = ""] =
      /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line.startsWith("#") ? "" : line) ?? [];
    if (name === "") continue;
    const values = series.get(name) ?? new Map<string, number>();
    series.set(name, values.set(labels, value === "+Inf" ? Infinity : Number(value)));
  }
  return series;
}

/** `or` binds least, then `and`, comparisons, minus and times. */
class Expression {
  readonly #words: string[];
  readonly #scrapes: readonly Scrape[];

  constructor(text: string, scrapes: readonly Scrape[]) {
    this.#words = text.match(/\w+\{[^}]*\}(?:\[\w+\])?|\w+\[\w+\]|\w+|[><]|==|[()*-]/g) ?? [];
    this.#scrapes = scrapes;
  }

  value(): Vector | number {
    const value = this.#either();
    if (this.#words.length > 0) throw new Error(`not understood: ${this.#words.join(" ")}`);
    return value;
  }

  #next(word: string): boolean {
    if (this.#words[0] !== word) return false;
    this.#words.shift();
    return true;
  }

  #either(): Vector | number {
    let left = this.#both();
    while (this.#next("or")) left = new Map([...vector(this.#both()), ...vector(left)]);
    return left;
  }

  #both(): Vector | number {
    let left = this.#compared();
    while (this.#next("and")) {
      const right = vector(this.#compared());
      left = new Map([...vector(left)].filter(([labels]) => right.has(labels)));
    }
    return left;
  }

  #compared(): Vector | number {
    const left = this.#difference();
    for (const [word, holds] of COMPARISONS) {
      if (!this.#next(word)) continue;
      const right = this.#difference();
      if (typeof right !== "number") throw new Error("compared with no number");
      return new Map([...vector(left)].filter(([, value]) => holds(value, right)));
    }
    return left;
  }

  #difference(): Vector | number {
    let left = this.#product();
    while (this.#next("-")) left = combined(left, this.#product(), (one, other) => one - other);
    return left;
  }

  #product(): Vector | number {
    let left = this.#atom();
    while (this.#next("*")) left = combined(left, this.#atom(), (one, other) => one * other);
    return left;
  }

  #atom(): Vector | number {
    const word = this.#words.shift() ?? "";
    if (/^\d+$/.test(word)) return Number(word);
    if (!this.#next("(")) return this.#selected(word, this.#scrapes.at(-1));
    const inner = word === "time" ? "" : (this.#words.shift() ?? "");
    if (!this.#next(")")) throw new Error(`not understood: ${word}(${inner}`);
    if (word === "time") return (this.#scrapes.at(-1)?.atMs ?? 0) / 1000;
    if (word !== "increase") throw new Error(`no function: ${word}`);
    return this.#increase(inner);
  }

  /** Of a series, by the labels that are asked for. */
  #selected(selector: string, scrape: Scrape | undefined): Vector {
    const [, name = "", wanted = ""] = /^(\w+)(?:\{(.*)\})?$/.exec(selector) ?? [];
    const values = scrape?.series.get(name) ?? new Map<string, number>();
    return new Map([...values].filter(([labels]) => labels.includes(wanted)));
  }

  /** A value that falls has begun again. */
  #increase(ranged: string): Vector {
    const [, selector = "", range = ""] = /^(.*)\[(\w+)\]$/.exec(ranged) ?? [];
    const fromMs = (this.#scrapes.at(-1)?.atMs ?? 0) - durationMs(range);
    const sums = new Map<string, number>();
    const before = new Map<string, number>();
    const first = this.#scrapes.findLastIndex(({ atMs }) => atMs < fromMs) + 1;
    for (const scrape of this.#scrapes.slice(first)) {
      for (const [labels, value] of this.#selected(selector, scrape)) {
        const was = before.get(labels);
        const rise = was === undefined ? 0 : value < was ? value : value - was;
        sums.set(labels, (sums.get(labels) ?? 0) + rise);
        before.set(labels, value);
      }
    }
    return sums;
  }
}

const COMPARISONS: readonly (readonly [string, (left: number, right: number) => boolean])[] = [
  [">", (left, right) => left > right],
  ["<", (left, right) => left < right],
  ["==", (left, right) => left === right],
];

function vector(value: Vector | number): Vector {
  if (typeof value === "number") throw new Error("a number in place of a series");
  return value;
}

function combined(
  left: Vector | number,
  right: Vector | number,
  by: (one: number, other: number) => number,
): Vector | number {
  if (typeof left === "number") {
    if (typeof right === "number") return by(left, right);
    return new Map([...right].map(([labels, value]) => [labels, by(left, value)]));
  }
  if (typeof right !== "number") throw new Error("two series");
  return new Map([...left].map(([labels, value]) => [labels, by(value, right)]));
}
