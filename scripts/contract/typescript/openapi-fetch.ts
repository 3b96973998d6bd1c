// With the types of openapi-typescript, as it makes them by default.
import createClient from "openapi-fetch";
import type { paths } from "./api.js";
import { check, setting } from "./main-job.js";

const api = createClient<paths, "application/json">({
  baseUrl: setting("API_URL"),
  headers: { Authorization: `Bearer ${setting("API_KEY")}` },
  querySerializer: { array: { style: "form", explode: false } },
});

function answer<T>({ data, error }: { data?: T; error?: unknown }): T {
  if (data === undefined) throw new Error(JSON.stringify(error));
  return data;
}

await check({
  async connect() {
    const credential = { kind: "clientSecret" as const, secret: setting("CLIENT_SECRET") };
    const body = { name: "Contoso", tenantId: setting("TENANT_ID"), clientId: setting("CLIENT_ID"), credential };
    return answer(await api.POST("/v1/connections", { body })).id;
  },
  async filter() {
    const country = { property: "country", operator: "in" as const, value: ["Germany", "DE", null] };
    const where = { any: [{ property: "userType", operator: "eq" as const, value: "Guest" }, { not: { not: country } }, { property: "userType", operator: "eq" as const, value: "Member" }] };
    return answer(await api.POST("/v1/filters", { body: { name: "Members and guests", users: { where }, scope: { transitive: false } } })).id;
  },
  async rename(id) {
    const params = { path: { id } };
    const { name, users, groups, devices, exclude, limits, outside, scope } = answer(await api.GET("/v1/filters/{id}", { params }));
    const body = { name: `${name}, renamed`, users, groups, devices, exclude, limits, outside, scope };
    return answer(await api.PATCH("/v1/filters/{id}", { params, body })).name;
  },
  async job(connectionId, filterId) {
    const destination = { kind: "assetsImport" as const, name: "Assets", token: setting("IMPORT_TOKEN"), missingObjects: "ignore" as const };
    const destinationId = answer(await api.POST("/v1/destinations", { body: destination })).id;
    const body = { name: "Nightly", connectionId, filterId, destinationId, schedule: { cron: "0 5 * * *", enabled: false } };
    const job = answer(await api.POST("/v1/jobs", { body }));
    // What was read can be written.
    const { objects, removal, memberships, deliver } = job;
    return answer(await api.PATCH("/v1/jobs/{id}", { params: { path: { id: job.id } }, body: { objects, removal, memberships, deliver } })).id;
  },
  async run(id) {
    const run = answer(await api.POST("/v1/jobs/{id}/runs", { params: { path: { id } }, body: { mode: "full" } }));
    const states: string[] = [];
    for (let after = 0, done = false; !done; ) {
      const events = answer(await api.GET("/v1/runs/{id}/events", { params: { path: { id: run.id }, query: { after, wait: 20 } } }));
      for (const event of events.items) if (event.event === "state") states.push(event.data.state);
      ({ nextAfter: after, done } = events);
    }
    return states;
  },
  async explain(id) {
    const { items } = answer(await api.GET("/v1/jobs/{id}/changes", { params: { path: { id } } }));
    const user = items.find((change) => change.objectType === "users")?.objectId;
    return answer(await api.GET("/v1/jobs/{id}/explain", { params: { path: { id }, query: { user } } })).outcome;
  },
  async resend() {
    const body = { name: "Chat", url: "https://hooks.example.com/", events: ["failed" as const, "user.left" as const] };
    const { id } = answer(await api.POST("/v1/webhooks", { body }));
    const sent = answer(await api.POST("/v1/webhooks/{id}/test", { params: { path: { id } } }));
    const params = { path: { id, deliveryId: sent.id } };
    return [sent.id, answer(await api.POST("/v1/webhooks/{id}/deliveries/{deliveryId}/resend", { params })).id];
  },
});
