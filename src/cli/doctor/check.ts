// What a check of doctor answers, and the verdict over all of them. Used by every file of this directory. Pure.

import { EXIT_STATUS, type ErrorCode } from "../../errors.ts";

export type CheckResult = "ok" | "warn" | "fail";

/** One line of doctor's answer. */
export interface Check {
  /** Short and stable, for scripts: `free-space`. */
  readonly name: string;
  readonly result: CheckResult;
  readonly message: string;
  /** The remedy; there for everything that is not ok. */
  readonly hint?: string;
  /** Of a `fail`: what a follower would end with. */
  readonly code?: ErrorCode;
}

export function ok(name: string, message: string): Check {
  return { name, result: "ok", message };
}

export function warn(name: string, message: string, hint: string): Check {
  return { name, result: "warn", message, hint };
}

export function fail(name: string, code: ErrorCode, message: string, hint: string): Check {
  return { name, result: "fail", message, hint, code };
}

/** `fail` before `warn` before `ok`. */
export function verdictOf(checks: readonly Check[]): CheckResult {
  const results = checks.map((check) => check.result);
  return results.includes("fail") ? "fail" : results.includes("warn") ? "warn" : "ok";
}

/** 0 unless a check failed; then what a follower would have ended with, by the first that failed. */
export function exitStatusOf(checks: readonly Check[]): number {
  const first = checks.find((check) => check.result === "fail");
  return first === undefined ? 0 : EXIT_STATUS[first.code ?? "unexpected"];
}
