/** What the functions of the import type ask of the service. `send` is Forge's `invokeRemote`, or a test's. */

type Method = "GET" | "POST" | "DELETE";
export type Send = (path: string, method: Method, body?: unknown) => Promise<{ status: number; body: any }>;

/** The end of a call that the service refused: its problem document says why, and what to do. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    problem: { detail?: string } | undefined,
  ) {
    super(problem?.detail ?? `The service answered ${status}.`);
  }
}

async function ask(send: Send, path: string, method: Method = "GET", body?: unknown): Promise<any> {
  const answer = await send(path, method, body);
  if (answer.status >= 300) throw new Refused(answer.status, answer.body);
  return answer.body;
}

/** The job that delivers to an import of Assets, if somebody has set it up. */
export async function jobOf(send: Send, importId: string): Promise<{ id: string } | undefined> {
  const destinations = await ask(send, `/v1/destinations?importId=${encodeURIComponent(importId)}&limit=1`);
  const destination = destinations.items[0];
  if (!destination) return undefined;
  const jobs = await ask(send, `/v1/jobs?destinationId=${destination.id}&limit=1`);
  return jobs.items[0];
}

export async function start(send: Send, importId: string): Promise<string> {
  const job = await jobOf(send, importId);
  if (!job) throw new Error("This import is not set up yet. Open its configuration first.");
  const run = await ask(send, `/v1/jobs/${job.id}/runs`, "POST", { mode: "full" });
  return run.id;
}

/** Cancels what is under way, and answers with how many runs that were. */
export async function stop(send: Send, importId: string): Promise<number> {
  const job = await jobOf(send, importId);
  if (!job) return 0;
  const runs = await ask(send, `/v1/jobs/${job.id}/runs?limit=10`);
  const open = runs.items.filter((run: { finishedAt: string | null }) => run.finishedAt === null);
  for (const run of open) await ask(send, `/v1/runs/${run.id}/cancel`, "POST");
  return open.length;
}

export async function status(send: Send, importId: string): Promise<"READY" | "NOT_CONFIGURED"> {
  const job = await jobOf(send, importId);
  if (!job) return "NOT_CONFIGURED";
  const schema = await ask(send, `/v1/jobs/${job.id}/schema`);
  return schema.difference?.inSync ? "READY" : "NOT_CONFIGURED";
}

export async function forget(send: Send, importId: string): Promise<void> {
  await ask(send, `/v1/forge/imports/${encodeURIComponent(importId)}`, "DELETE");
}
