// The main job by a generated client: from a connection to objects in Assets, a question about one of them, and a delivery of
// a webhook that is sent again.

/** What the client of a generator does. Ids are texts. */
export interface Client {
  connect(): Promise<string>;
  /** A filter whose condition is a tree: members of Germany, or guests. */
  filter(): Promise<string>;
  /** Reads the filter, and writes what it read with another name, without a cast. The new name. */
  rename(filter: string): Promise<string>;
  /** The job, with a destination of its own. */
  job(connection: string, filter: string): Promise<string>;
  /** Starts a run and follows it by its events. The states that it came to. */
  run(job: string): Promise<string[]>;
  /** A user that the job imported, and what the service says of it. */
  explain(job: string): Promise<string>;
  /** Tests a webhook and has the delivery sent again. The ids of both. */
  resend(): Promise<[string, string]>;
}

function expect(what: string, found: unknown, expected: unknown): void {
  if (JSON.stringify(found) !== JSON.stringify(expected)) throw new Error(`${what}: ${JSON.stringify(found)}`);
  console.log(`${what}: ${JSON.stringify(found)}`);
}

export async function check(client: Client): Promise<void> {
  const filter = await client.filter();
  expect("renamed", await client.rename(filter), "Members and guests, renamed");
  const job = await client.job(await client.connect(), filter);
  expect("states", await client.run(job), ["queued", "running", "succeeded"]);
  expect("explained", await client.explain(job), "imported");
  const [first, again] = await client.resend();
  expect("resent", again, first);
}

export function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
}
