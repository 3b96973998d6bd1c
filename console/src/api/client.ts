/** The API, with types that are generated from the OpenAPI document. */
import { transport } from "#transport";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema";

type Schemas = components["schemas"];
export type Schema<Name extends keyof Schemas> = Schemas[Name];
export type Problem = Schema<"Problem">;
export type Fault = NonNullable<Problem["errors"]>[number];

/** The service answered with a problem document. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly problem: Problem,
  ) {
    super(problem.detail);
  }
}

/** No answer came. */
export class Unreachable extends Error {
  constructor() {
    super("The service does not answer. Check that it runs and that this machine can reach it.");
  }
}

export const api = createClient<paths, "application/json">({
  baseUrl: transport.base,
  // Lists in a query are separated by commas.
  querySerializer: { array: { style: "form", explode: false } },
  fetch: (request: Request) => transport.send(request),
});

type Call<T> = Promise<{ data?: T; error?: unknown; response: Response }>;

/** The data of a response. Everything else is thrown as `Refused` or `Unreachable`. */
export async function answer<T>(call: Call<T>): Promise<T> {
  let result: Awaited<Call<T>>;
  try {
    result = await call;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Unreachable();
  }
  const { data, error, response } = result;
  if (response.ok) return data as T;
  if (isProblem(error)) throw new Refused(response.status, error);
  throw new Unreachable();
}

function isProblem(error: unknown): error is Problem {
  return typeof error === "object" && error !== null && "code" in error && "detail" in error;
}

/** A key that makes a POST safe to repeat. */
export const idempotencyKey = () => crypto.randomUUID();

type Page<T> = { items: T[]; nextCursor: string | null };

/** The items of all pages of a short list, at most `most`. */
export async function all<T>(load: (cursor: string | undefined) => Promise<Page<T>>, most = 2000): Promise<T[]> {
  const items: T[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await load(cursor);
    items.push(...page.items);
    if (page.nextCursor === null || items.length >= most) return items;
    cursor = page.nextCursor;
  }
}

/** Sends a request that the service itself proposed, as it is. Answers with what was made or changed. */
export async function propose({ method, path, body }: { method: string; path: string; body: unknown }): Promise<{ id?: string } | undefined> {
  const headers = { "Content-Type": "application/json", ...(method === "POST" && { "Idempotency-Key": idempotencyKey() }) };
  const send = async () => {
    const response = await transport.send(new Request(transport.base + path, { method, headers, body: JSON.stringify(body) }));
    const read = response.status === 204 ? undefined : await response.json();
    return response.ok ? { data: read as { id?: string }, response } : { error: read as unknown, response };
  };
  return answer(send());
}
