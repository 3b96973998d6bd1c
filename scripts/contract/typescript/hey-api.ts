// With the functions that @hey-api/openapi-ts makes.
import { client } from "./hey/client.gen.js";
import * as api from "./hey/sdk.gen.js";
import { check, setting } from "./main-job.js";

// Without the condition it would send the key as a ticket too, where an operation takes tickets.
client.setConfig({ baseUrl: setting("API_URL") as `http://${string}`, auth: ({ scheme }) => (scheme === "bearer" ? setting("API_KEY") : undefined) });

await check({
  async connect() {
    const credential = { kind: "clientSecret" as const, secret: setting("CLIENT_SECRET") };
    const body = { name: "Contoso", tenantId: setting("TENANT_ID"), clientId: setting("CLIENT_ID"), credential };
    return (await api.createConnection({ body, throwOnError: true })).data.id;
  },
  async filter() {
    const country = { property: "country", operator: "in" as const, value: ["Germany", "DE", null] };
    const where = { any: [{ property: "userType", operator: "eq" as const, value: "Guest" }, { not: { not: country } }, { property: "userType", operator: "eq" as const, value: "Member" }] };
    const body = { name: "Members and guests", users: { where }, scope: { transitive: false } };
    return (await api.createFilter({ body, throwOnError: true })).data.id;
  },
  async rename(id) {
    const { data } = await api.getFilter({ path: { id }, throwOnError: true });
    const { name, users, groups, devices, exclude, limits, outside, scope } = data;
    const body = { name: `${name}, renamed`, users, groups, devices, exclude, limits, outside, scope };
    return (await api.updateFilter({ path: { id }, body, throwOnError: true })).data.name;
  },
  async job(connectionId, filterId) {
    const destination = { kind: "assetsImport" as const, name: "Assets", token: setting("IMPORT_TOKEN"), missingObjects: "ignore" as const };
    const destinationId = (await api.createDestination({ body: destination, throwOnError: true })).data.id;
    const body = { name: "Nightly", connectionId, filterId, destinationId };
    return (await api.createJob({ body, throwOnError: true })).data.id;
  },
  async run(id) {
    const { data: run } = await api.createRun({ path: { id }, body: { mode: "full" }, throwOnError: true });
    const states: string[] = [];
    for (let after = 0, done = false; !done; ) {
      const { data } = await api.listRunEvents({ path: { id: run.id }, query: { after, wait: 20 }, headers: { Accept: "application/json" }, throwOnError: true });
      if (typeof data === "string") throw new Error("JSON was asked for");
      for (const event of data.items) if (event.event === "state") states.push(event.data.state);
      ({ nextAfter: after, done } = data);
    }
    return states;
  },
  async explain(id) {
    const { data } = await api.listJobChanges({ path: { id }, throwOnError: true });
    const user = data.items.find((change) => change.objectType === "users")?.objectId;
    return (await api.explainObject({ path: { id }, query: { user }, throwOnError: true })).data.outcome;
  },
  async resend() {
    const body = { name: "Chat", url: "https://hooks.example.com/", events: ["failed" as const, "user.left" as const] };
    const { data: webhook } = await api.createWebhook({ body, throwOnError: true });
    const { data: sent } = await api.testWebhook({ path: { id: webhook.id }, throwOnError: true });
    const path = { id: webhook.id, deliveryId: sent.id };
    return [sent.id, (await api.resendWebhookDelivery({ path, throwOnError: true })).data.id];
  },
});
