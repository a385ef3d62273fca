// What holds of every document: links lead somewhere, files that are named are there, nothing is said of this machine, and
// what monitoring is told to look at exists.

import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize, resolve } from "node:path";
import { FINDING_KINDS } from "../../src/audit/findings.ts";
import { METRICS } from "../../src/status/metrics.ts";
import { anchorsOf, type Document, proseOf, readDocuments } from "./documents.ts";

const ROOT = resolve(import.meta.dir, "../..");
const DASHBOARD = "docs/grafana-dashboard.json";
const WANTED = [
  "README.md",
  "CONTRIBUTING.md",
  "SECURITY.md",
  "CHANGELOG.md",
  "docs/operating.md",
  "docs/incidents.md",
  "docs/scaling.md",
  "docs/undetectable.md",
  "docs/format.md",
  "docs/wire.md",
  "docs/cli.md",
];
/** Places of one machine, hosts of registries, and words that have no business in a document. */
const FORBIDDEN = [
  /\/(work|root|tmp)\//,
  /\bregistry\.npmjs\b|\bcrates\.io\b|\bpypi\.org\b|\bdeb\.debian\b|\bgithub\.com\/oven/i,
  /\b(claude|chatgpt|copilot|llm|language model)\b/i,
  /\b(TODO|FIXME|XXX|TBD|lorem)\b/,
  /\bblazing|\bseamless|\brobust\b|\bleverag|\bcutting-edge|\bsimply\b|\bjust works\b/i,
];

const documents = readDocuments();

describe("documents", () => {
  test("are all there", () => {
    const paths = documents.map(({ path }) => path);
    expect(paths).toEqual(expect.arrayContaining(WANTED));
    for (const licence of ["LICENSE-MIT", "LICENSE-APACHE"])
      expect(existsSync(join(ROOT, licence))).toBe(true);
  });

  for (const document of documents) {
    test(`${document.path} has links that resolve`, () => {
      expect(linksOf(document).filter((link) => !resolves(document, link))).toEqual([]);
    });

    test(`${document.path} says nothing that does not belong there`, () => {
      const lines = document.text.split("\n");
      expect(lines.filter((line) => FORBIDDEN.some((words) => words.test(line)))).toEqual([]);
    });

    test(`${document.path} names files that are there`, () => {
      const named = proseOf(document).matchAll(
        /`((?:src|test|scripts|contrib|docs)\/[\w./-]*\w)\/?`/g,
      );
      const missing = [...named]
        .map(([, path = ""]) => path)
        .filter((path) => !existsSync(join(ROOT, path)));
      expect(missing).toEqual([]);
    });
  }

  // Type=notify waits for the first catch-up, and for a leader that is down.
  test("enable a service without waiting for it", () => {
    const lines = documents.flatMap(({ text }) => text.split("\n"));
    const enabling = lines.filter((line) => line.startsWith("systemctl enable --now"));
    expect(enabling.length).toBeGreaterThan(0);
    expect(enabling.filter((line) => !line.includes(" --no-block "))).toEqual([]);
  });

  test("docs/cli.md names the kinds of findings that there are", () => {
    const { text = "" } = documents.find(({ path }) => path === "docs/cli.md") ?? {};
    const kinds = text.slice(text.indexOf("Finding kinds."));
    expect(Object.keys(FINDING_KINDS).filter((kind) => !kinds.includes(kind))).toEqual([]);
  });

  test("README has places for the reference and the bench", () => {
    const readme = documents[0]?.text ?? "";
    for (const name of ["reference", "bench"]) {
      expect(readme).toMatch(new RegExp(`<!-- ${name} -->[\\s\\S]*<!-- /${name} -->`));
    }
  });
});

function linksOf(document: Document): string[] {
  const links = proseOf(document).matchAll(/\[[^\]]*\]\(([^)\s]+)\)/g);
  return [...links].map(([, link = ""]) => link);
}

/** A file of the project, with an anchor that one of its headings makes. Nothing is linked outside. */
function resolves(document: Document, link: string): boolean {
  const [path = "", anchor] = link.split("#");
  const target = path === "" ? document.path : normalize(join(dirname(document.path), path));
  if (!existsSync(join(ROOT, target))) return false;
  if (anchor === undefined) return true;
  const there = documents.find((each) => each.path === target);
  return there !== undefined && anchorsOf(there).has(anchor);
}

describe("monitoring", () => {
  const series = new Set(["up", ...METRICS.map(({ name }) => name)]);
  const named = (text: string) => text.match(/\b(armdb|process)_\w+\b/g) ?? [];

  test("alerts are of series that there are, each with severity and summary", () => {
    const operating = documents.find(({ path }) => path === "docs/operating.md");
    const yaml = operating?.blocks.find(({ language }) => language === "yaml")?.text ?? "";
    const { groups } = Bun.YAML.parse(yaml) as {
      groups: {
        rules: { expr: string; labels: { severity: string }; annotations: { summary: string } }[];
      }[];
    };
    const rules = groups.flatMap((group) => group.rules);
    expect(rules.length).toBeGreaterThan(8);
    for (const { expr, labels, annotations } of rules) {
      expect(named(expr).filter((name) => !series.has(name))).toEqual([]);
      expect(["page", "ticket"]).toContain(labels.severity);
      expect(annotations.summary).not.toBe("");
    }
  });

  test("text names only series that there are", () => {
    for (const { text } of documents) {
      const metrics = named(text).filter((name) =>
        /_(seconds|total|bytes|slots|protocol)$/.test(name),
      );
      expect(metrics.filter((name) => !series.has(name))).toEqual([]);
    }
  });

  test("the dashboard shows every series that there is, and no other", () => {
    const text = readFileSync(join(ROOT, DASHBOARD), "utf8");
    const { panels } = JSON.parse(text) as {
      panels: { id: number; targets: { expr: string }[] }[];
    };
    const shown = new Set(
      panels.flatMap(({ targets }) => targets.flatMap(({ expr }) => named(expr))),
    );
    expect([...shown].filter((name) => !series.has(name))).toEqual([]);
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    expect([...shown].length).toBeGreaterThan(20);
  });
});
