import { Router } from '@koa/router';
import type { Layer } from '@koa/router';
import { type PathPattern, parsePathPattern } from './path-pattern.ts';

/** One path of an endpoint and what it leads to. */
export interface Route<Value> {
  readonly method: string;
  /** As the specification writes it, with `{roomId}` for parameters. */
  readonly path: string;
  /** Which endpoint it belongs to, for the error about two that are the same. */
  readonly owner: string;
  readonly value: Value;
}

/** Path parameters as they stand in the URL, percent-escapes and all. */
export type RawParams = Readonly<Record<string, string>>;

/** What a method and a path lead to. `wrong-method` has the methods that the path does know. */
export type Found<Value> =
  | { readonly kind: 'found'; readonly value: Value; readonly params: RawParams }
  | { readonly kind: 'wrong-method'; readonly allowed: readonly string[] }
  | { readonly kind: 'unknown' };

/** Finds routes. */
export interface RouteIndex<Value> {
  /** @param path the raw path of the URL, without the query string */
  find(method: string, path: string): Found<Value>;
}

interface Registered<Value> {
  readonly value: Value;
  /** Each parameter and the number of its segment; −1 for one that this form of the path leaves out. */
  readonly parameters: readonly (readonly [name: string, place: number])[];
}

/** A place in the tree of segments: what may come next, and the router of the path that ends here. */
interface Branch {
  readonly literals: Map<string, Branch>;
  parameter: Branch | null;
  router: Router | null;
}

const UNKNOWN: Found<never> = { kind: 'unknown' };

function createBranch(): Branch {
  return { literals: new Map(), parameter: null, router: null };
}

function parametersOf({ segments, absent }: PathPattern): Registered<unknown>['parameters'] {
  const present = segments.flatMap((segment, place) =>
    segment.kind === 'parameter' ? [[segment.name, place] as const] : [],
  );
  return [...present, ...absent.map((name) => [name, -1] as const)];
}

/** The path has matched, so that each parameter is one whole segment: no second run of the expression is needed. */
function rawParams(parameters: Registered<unknown>['parameters'], segments: readonly string[]): RawParams {
  const params: Record<string, string> = {};
  for (const [name, place] of parameters) params[name] = segments[place] ?? '';
  return params;
}

function nextBranch(branch: Branch, segment: PathPattern['segments'][number]): Branch {
  if (segment.kind === 'parameter') return (branch.parameter ??= createBranch());
  const known = branch.literals.get(segment.text) ?? createBranch();
  branch.literals.set(segment.text, known);
  return known;
}

function routerFor(root: Branch, pattern: PathPattern): Router {
  let branch = root;
  for (const segment of pattern.segments) branch = nextBranch(branch, segment);
  return (branch.router ??= new Router());
}

/** A request on its way through the tree. `allowed` collects the methods of paths that match where the method does not. */
interface Search {
  readonly method: string;
  readonly path: string;
  readonly segments: readonly string[];
  readonly allowed: Set<string>;
}

function matchedLayer(router: Router, { method, path, allowed }: Search): Layer | undefined {
  const matched = router.match(path, method);
  if (matched.pathAndMethod.length === 0)
    for (const layer of matched.path) for (const known of layer.methods) allowed.add(known);
  return matched.pathAndMethod[0];
}

/** Fixed text goes before a parameter, and what comes first in the path counts most. No deeper than the longest path. */
function findLayer(branch: Branch, search: Search, at: number): Layer | undefined {
  const segment = search.segments[at];
  if (segment === undefined) return branch.router === null ? undefined : matchedLayer(branch.router, search);
  const literal = branch.literals.get(segment);
  const layer = literal === undefined ? undefined : findLayer(literal, search, at + 1);
  if (layer !== undefined || branch.parameter === null) return layer;
  return findLayer(branch.parameter, search, at + 1);
}

function register(router: Router, pattern: PathPattern, route: Route<unknown>): Layer {
  // The layer's own middleware is never composed: the index gives the value back and its caller runs it.
  const layer = router.register(pattern.regexp, [route.method], () => undefined, {
    name: route.owner,
    pathAsRegExp: true,
  });
  if (layer instanceof Router) throw new Error(`${route.owner}: registered more than one path at once`);
  return layer;
}

/**
 * Builds the index. Each distinct path has a router of its own (one layer per method) at the end of its branch in a tree of segments, so
 * that the cost of a look-up grows with the length of the path, not with the number of routes.
 *
 * @throws Error when two routes have the same method and path: the names of parameters do not tell them apart
 */
export function createRouteIndex<Value>(routes: readonly Route<Value>[]): RouteIndex<Value> {
  const root = createBranch();
  const registered = new Map<Layer, Registered<Value>>();
  const owners = new Map<string, string>();
  for (const route of routes) {
    for (const pattern of parsePathPattern(route.path)) {
      const identity = `${route.method} ${pattern.segments.map((segment) => (segment.kind === 'literal' ? segment.text : '{}')).join('/')}`;
      const other = owners.get(identity);
      if (other !== undefined)
        throw new Error(`${route.method} ${route.path} of ${route.owner} is taken by ${other}`);
      owners.set(identity, route.owner);
      const layer = register(routerFor(root, pattern), pattern, route);
      registered.set(layer, { value: route.value, parameters: parametersOf(pattern) });
    }
  }

  return {
    find(method, path) {
      const segments = path.slice(1).split('/');
      const allowed = new Set<string>();
      const layer = findLayer(root, { method, path, segments, allowed }, 0);
      const found = layer === undefined ? undefined : registered.get(layer);
      if (found !== undefined)
        return { kind: 'found', value: found.value, params: rawParams(found.parameters, segments) };
      return allowed.size === 0 ? UNKNOWN : { kind: 'wrong-method', allowed: [...allowed].toSorted() };
    },
  };
}
