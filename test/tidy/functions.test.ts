// Functions are found by the formatter's layout: in every form that it gives them.

import { expect, test } from "bun:test";
import { functionsOf } from "./functions.ts";

const found = (...lines: string[]) =>
  functionsOf(lines).map(({ name, line, lines: length }) => `${name} ${line}+${length}`);

test.each<[string, string[], string[]]>([
  ["function", ["export async function read(path: string) {", "  a();", "}"], ["read 1+3"]],
  ["head of several lines", ["function read(", "  path: string,", "): void {", "}"], ["read 1+4"]],
  ["parameter taken apart", ["function read({", "  path,", "}: At): void {", "}"], ["read 1+4"]],
  ["method", ["class A {", "  async #read(): Promise<void> {", "  }", "}"], ["#read 2+2"]],
  ["getter", ["  get size(): number {", "  }"], ["size 1+2"]],
  ["arrow", ["const read = (path: string) => {", "};"], ["read 1+2"]],
  ["arrow of a property", ["  read: async () => {", "  },"], ["read 1+2"]],
  ["arrow behind a sign", ["  x", "    ? null", "    : (y) => {", "      };"], ["=> 3+2"]],
  ["test", ['test("reads", async () => {', "});"], ["reads 1+2"]],
  ["test of a long title", ["test(", '  "reads",', "  async () => {", "  },", ");"], ["reads 3+2"]],
  ["table", ["test.each([", "  1,", '])("reads %d", (n) => {', "});"], ["reads %d 3+2"]],
  ["describe", ['describe("reading", () => {', "});"], []],
  ["describe of a table", ["describe.each([", "  1,", '])("reading %d", (n) => {', "});"], []],
  ["if", ["  if (a) {", "  } else if (b) {", "  } else {", "  }"], []],
  ["if of several lines", ["  if (", "    a &&", "    b", "  ) {", "  }"], []],
  ["else if of several lines", ["  if (a) {", "  } else if (", "    b", "  ) {", "  }"], []],
  ["loops", ["  for (const a of b) {", "  }", "  while (a) {", "  }", "  switch (a) {", "  }"], []],
  ["catch", ["  try {", "  } catch (thrown) {", "  } finally {", "  }"], []],
  ["object", ["  const a = read({", "  });", "  return {", "  };"], []],
  ["text", ["function sh() {", "  return `_read() {", "}", "`;", "}"], ["sh 1+5"]],
  ["text in text", ["function sh() {", "  return `${a.map((b) => `x`)}", "}`;", "}"], ["sh 1+4"]],
  ["quoted sign", ["function sh() {", '  a("`");', "  b(/`/);", "}", "a`", "}`"], ["sh 1+4"]],
])("%s", (_, lines, functions) => {
  expect(found(...lines)).toEqual(functions);
});
