import type { Counter, Histogram, Metrics } from '../../kit/metrics.ts';

/** The figures of one endpoint; made when it is first called. */
export interface EndpointFigures {
  /** @param status the HTTP status; 499 when the client was gone before the answer */
  record(status: number, durationMs: number): void;
}

/**
 * Figures by endpoint: `http.endpoint.<METHOD> <path>.requests`, `.refused` (4xx), `.errors` (5xx) and `.latency`.
 *
 * @param route method and path of the endpoint, never a URL
 */
export function createEndpointFigures(route: string, metrics: Metrics): EndpointFigures {
  let figures: {
    readonly requests: Counter;
    readonly refused: Counter;
    readonly errors: Counter;
    readonly latency: Histogram;
  } | null = null;
  return {
    record(status, durationMs) {
      figures ??= {
        requests: metrics.counter(`http.endpoint.${route}.requests`),
        refused: metrics.counter(`http.endpoint.${route}.refused`),
        errors: metrics.counter(`http.endpoint.${route}.errors`),
        latency: metrics.histogram(`http.endpoint.${route}.latency`),
      };
      figures.requests.add();
      if (status >= 500) figures.errors.add();
      else if (status >= 400) figures.refused.add();
      figures.latency.record(durationMs);
    },
  };
}
