// What this build is. scripts/build defines the constants; run from source they are absent.

declare const BUILD_VERSION: string | undefined;
declare const BUILD_COMMIT: string | undefined;
declare const BUILD_TARGET: string | undefined;

/** Facts of the build, for `armdb version`, the metrics and reports. */
export interface BuildFacts {
  readonly version: string;
  readonly commit: string;
  readonly bun: string;
  /** `linux-x64`, `linux-arm64-musl`. */
  readonly target: string;
}

export function buildFacts(): BuildFacts {
  return {
    version: typeof BUILD_VERSION === "string" ? BUILD_VERSION : "0.0.0-source",
    commit: typeof BUILD_COMMIT === "string" ? BUILD_COMMIT : "unknown",
    bun: Bun.version,
    target: typeof BUILD_TARGET === "string" ? BUILD_TARGET : `${process.platform}-${process.arch}`,
  };
}
