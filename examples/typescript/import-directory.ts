// From a connection to a result, with the types that openapi-typescript makes from the API's document:
//
//     npm install && npm run generate && npm run build && npm start
//
// Needs API_KEY, and in TENANT_ID, CLIENT_ID, CLIENT_SECRET and IMPORT_TOKEN what the app registration and the
// import source in Assets show. API_URL: the address of the service.

import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Problem = components["schemas"]["Problem"];

function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
}

/** The data of a response. A refused call throws an error with all its faults. */
function answer<T>({ data, error }: { data?: T; error?: unknown }): T {
  if (data !== undefined) return data;
  const problem = error as Problem;
  const faults = (problem.errors ?? []).map((fault) => `${fault.pointer}: ${fault.detail}`);
  throw new Error([`${problem.code}: ${problem.detail}`, ...faults].join("\n"));
}

// Events are also available as a stream; here everything is JSON.
const api = createClient<paths, "application/json">({
  baseUrl: process.env.API_URL ?? "http://127.0.0.1:8080",
  headers: { Authorization: `Bearer ${setting("API_KEY")}` },
});

/** A connection that works, a filter, a destination, and the job that connects them. */
async function createJob(): Promise<string> {
  const connection = answer(
    await api.POST("/v1/connections", {
      params: { query: { check: true } },
      body: {
        name: "Contoso",
        tenantId: setting("TENANT_ID"),
        clientId: setting("CLIENT_ID"),
        credential: { kind: "clientSecret", secret: setting("CLIENT_SECRET") },
      },
    }),
  );
  if (connection.lastCheck?.overall === "failed") {
    throw new Error(connection.lastCheck.findings.map((finding) => finding.message).join("\n"));
  }
  console.log("connection:", connection.lastCheck?.overall);
  const filter = answer(
    await api.POST("/v1/filters", {
      body: { name: "Members and guests", users: { odata: "userType in ('Member','Guest')" } },
    }),
  );
  const destination = answer(
    await api.POST("/v1/destinations", {
      body: { kind: "assetsImport", name: "Assets", token: setting("IMPORT_TOKEN"), missingObjects: "ignore" },
    }),
  );
  const job = answer(
    await api.POST("/v1/jobs", {
      body: {
        name: "Nightly",
        connectionId: connection.id,
        filterId: filter.id,
        destinationId: destination.id,
        schedule: { cron: "0 5 * * *", timezone: "Europe/Berlin", enabled: false },
      },
    }),
  );
  return job.id;
}

/** Prints the run's events until it has ended, or waits for an approval. */
async function follow(id: string): Promise<void> {
  for (let after = 0, done = false; !done; ) {
    const query = { after, wait: 20 };
    const events = answer(await api.GET("/v1/runs/{id}/events", { params: { path: { id }, query } }));
    for (const event of events.items) {
      if (event.event === "state") console.log(event.id, event.event, event.data.state);
      if (event.event === "log") console.log(event.id, event.event, event.data.message);
    }
    after = events.nextAfter;
    done = events.done || events.state === "awaitingApproval";
  }
}

const started = answer(
  await api.POST("/v1/jobs/{id}/runs", { params: { path: { id: await createJob() } }, body: { mode: "full" } }),
);
await follow(started.id);
const run = answer(await api.GET("/v1/runs/{id}", { params: { path: { id: started.id } } }));
if (run.state === "awaitingApproval") {
  const brake = run.warnings.find((warning) => warning.code === "removal_brake");
  throw new Error(`${brake?.detail}\n${brake?.advice}\nPOST /v1/runs/${run.id}/approve or /cancel`);
}
console.log(JSON.stringify({ state: run.state, counts: run.counts }));
if (run.state !== "succeeded") {
  throw new Error(run.error?.detail ?? run.warnings.map((warning) => warning.detail).join("; "));
}
