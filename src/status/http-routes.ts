// What the HTTP side of a follower serves (cli.md: --http): /metrics, /health, /ready, /status.json. Pure: a path and a
// status document in, an answer out.

import type { ProcessSaid } from "./metrics.ts";
import { asciiJson } from "./ascii-json.ts";
import { type HealthReason, healthReasons, readyReasons } from "./health.ts";
import type { HttpAnswer } from "./http-server.ts";
import { type Identity, metricsText } from "./metrics.ts";
import type { StatusDocument } from "./status-types.ts";

export interface RouteFacts {
  status(): StatusDocument;
  process(): ProcessSaid;
  readonly identity: Identity;
  /** --max-lag. */
  readonly maxLagMs: number;
}

const JSON_TYPE = "application/json; charset=utf-8";
/** The text format of Prometheus. */
const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

const INDEX = `armdb follower
/metrics      for Prometheus
/health       200 or 503: lag within bounds, no shard stalled, failed or diverged
/ready        200 or 503: every shard has caught up and is durable
/status.json  as armdb status --json
`;

export function httpAnswer(path: string, facts: RouteFacts): HttpAnswer {
  switch (path) {
    case "/metrics": {
      const { identity, maxLagMs } = facts;
      const body = metricsText(facts.status(), facts.process(), identity, maxLagMs);
      return { status: 200, type: METRICS_TYPE, body };
    }
    case "/health": {
      const status = facts.status();
      const reasons = healthReasons(status, facts.maxLagMs);
      return verdictAnswer("healthy", status, reasons, { maxLagMs: facts.maxLagMs });
    }
    case "/ready": {
      const status = facts.status();
      return verdictAnswer("ready", status, readyReasons(status), {});
    }
    case "/status.json":
      return { status: 200, type: JSON_TYPE, body: `${asciiJson(facts.status())}\n` };
    case "/":
      return { status: 200, type: "text/plain; charset=utf-8", body: INDEX };
    default:
      return { status: 404, type: "text/plain; charset=utf-8", body: INDEX };
  }
}

function verdictAnswer(
  word: "healthy" | "ready",
  status: StatusDocument,
  reasons: readonly HealthReason[],
  more: Readonly<Record<string, unknown>>,
): HttpAnswer {
  const isGood = reasons.length === 0;
  const body = { schema: 1, [word]: isGood, verdict: status.verdict, ...more, reasons };
  return { status: isGood ? 200 : 503, type: JSON_TYPE, body: `${asciiJson(body)}\n` };
}
