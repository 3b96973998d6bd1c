// The app against the real service: its functions, and the console in the place of a page of Jira. Forge itself is
// stood in for by a key of our own and by a stub of its bridge.
import assert from "node:assert/strict";
import { createSign, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { after, before, describe, it } from "node:test";
import ts from "typescript";

const { API_URL, FORGE_KEY, TENANT_ID, CLIENT_ID, CLIENT_SECRET, ENTRA_ASSETS_ASSETS_URL, ENTRA_ASSETS_FORGE_APP_ID: APP } = process.env;
const here = (name) => new URL(name, import.meta.url);
const site = await (await fetch(`${ENTRA_ASSETS_ASSETS_URL}/_sim`)).json();
const importId = site.sources[0].id;
const privateKey = readFileSync(FORGE_KEY);
const base64 = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** What Forge sends with each call, valid for 25 seconds; as if it had been issued so many seconds from now. */
function invocationToken(ahead = 0) {
  const now = Math.floor(Date.now() / 1000) + ahead;
  const apiBaseUrl = `https://api.atlassian.com/ex/jira/${site.cloudId}`;
  const app = { id: APP, installationId: "ari:cloud:ecosystem::installation/test", apiBaseUrl, environment: { type: "DEVELOPMENT", id: "test" }, module: { type: "core:endpoint", key: "service" } };
  const claims = { app, context: { cloudId: site.cloudId, moduleKey: "console" }, principal: "5b10ac8d82e05b22cc7d4ef5", aud: APP, iss: "forge/invocation-token", iat: now, nbf: now, exp: now + 25, jti: randomUUID() };
  const text = `${base64({ alg: "RS256", typ: "JWT", kid: "forge/invocation-token/test" })}.${base64(claims)}`;
  return `${text}.${createSign("RSA-SHA256").update(text).sign(privateKey).toString("base64url")}`;
}

async function invoke(path, method = "GET", body = undefined, headers = {}, ahead = 0) {
  const answer = await fetch(API_URL + path, {
    method,
    body: body === undefined ? undefined : JSON.stringify(body),
    headers: { "Content-Type": "application/json", ...headers, Authorization: `Bearer ${invocationToken(ahead)}`, "x-forge-oauth-system": site.forgeToken },
  });
  const text = await answer.text();
  return { status: answer.status, headers: Object.fromEntries(answer.headers), body: text === "" ? undefined : JSON.parse(text) };
}

async function ask(path, method, body) {
  const answer = await invoke(path, method, body);
  assert.ok(answer.status < 300, `${path}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}

/** A module of the app, without its types. */
async function moduleOf(name) {
  const { outputText } = ts.transpileModule(readFileSync(here(`../src/${name}.ts`), "utf8"), { compilerOptions: { module: "esnext", target: "es2022" } });
  return import(`data:text/javascript,${encodeURIComponent(outputText)}`);
}

async function ended(runId) {
  for (let after = 0; ; ) {
    const events = await ask(`/v1/runs/${runId}/events?after=${after}&wait=20`);
    after = events.nextAfter;
    if (events.done) return ask(`/v1/runs/${runId}`);
  }
}

describe("the functions of the import type", async () => {
  const { jobOf, start, status, stop } = await moduleOf("service");
  let runId;

  it("say that an import is not configured, and that it cannot be started", async () => {
    assert.equal(await status(invoke, importId), "NOT_CONFIGURED");
    await assert.rejects(start(invoke, importId), /not set up yet/);
    assert.equal(await stop(invoke, importId), 0);
  });

  it("are ready once the configuration has made a job and built its object types", async () => {
    const credential = { kind: "clientSecret", secret: CLIENT_SECRET };
    const connection = await ask("/v1/connections", "POST", { name: "Contoso", tenantId: TENANT_ID, clientId: CLIENT_ID, credential });
    const destination = await ask("/v1/destinations", "POST", { kind: "forge", name: "Entra ID", workspaceId: site.workspaceId, importId, missingObjects: "unknown" });
    const job = await ask("/v1/jobs", "POST", { name: "Entra ID", connectionId: connection.id, destinationId: destination.id });
    assert.equal(await status(invoke, importId), "NOT_CONFIGURED", "nothing is built yet");
    await ask(`/v1/jobs/${job.id}/schema`, "POST");
    assert.equal(await status(invoke, importId), "READY");
    assert.equal((await jobOf(invoke, importId)).id, job.id);
  });

  it("start an import that arrives in Assets, with the token of the app", async () => {
    runId = await start(invoke, importId);
    const run = await ended(runId);
    assert.equal(run.state, "succeeded", JSON.stringify(run.error));
    const { objects } = await (await fetch(`${ENTRA_ASSETS_ASSETS_URL}/_sim/counts`)).json();
    assert.equal(objects["Entra User"], run.counts.users.read);
  });

  it("stop nothing when nothing runs, and pass on why the service refuses", async () => {
    assert.equal(await stop(invoke, importId), 0);
    const refusing = async () => ({ status: 403, body: { detail: "No." } });
    await assert.rejects(status(refusing, importId), { name: "Error", message: "No.", status: 403 });
  });
});

describe("the console as a page of Jira", () => {
  const consoleOfApp = here("../static/console/");
  const types = { html: "text/html", js: "text/javascript", css: "text/css", svg: "image/svg+xml" };
  const { chromium } = createRequire(here("../../../console/package.json"))("playwright-core");
  const server = createServer((request, answer) => {
    const name = new URL(request.url, "http://jira").pathname.slice(1) || "index.html";
    answer.setHeader("Content-Type", types[name.split(".").pop()] ?? "text/plain").end(readFileSync(new URL(name, consoleOfApp)));
  });
  let browser, page, calls;

  before(async () => {
    await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
    browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"] });
    page = await browser.newPage();
    calls = [];
    // Forge's bridge, as a page of an app finds it.
    await page.exposeFunction("forge", async (command, { path, method, headers, body }) => {
      calls.push(`${command} ${method} ${path}`);
      const answer = await invoke(path, method, body, headers);
      return answer.status < 300 ? { success: true, payload: answer } : { success: false, error: answer };
    });
    await page.addInitScript("globalThis.__bridge = { callBridge: (command, payload) => globalThis.forge(command, payload) }");
  });
  after(async () => {
    await browser?.close();
    server.close();
  });

  it("shows what the installation has, without a key and without what only administrators may", async () => {
    const faults = [];
    page.on("pageerror", (error) => faults.push(error.message));
    page.on("request", (request) => request.url().includes(API_URL) && faults.push(`a call around Forge: ${request.url()}`));
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    await page.getByRole("link", { name: "Full import" }).first().click();
    await page.getByRole("group", { name: "Statistics" }).waitFor();
    await page.getByRole("link", { name: "Settings", exact: true }).click();
    await page.getByRole("navigation", { name: "Settings" }).getByText("Webhooks").waitFor();
    assert.equal(await page.getByText("API keys").count(), 0);
    assert.equal(await page.getByText("Sign out").count(), 0);
    assert.ok(calls.length > 3 && calls.every((call) => call.startsWith("invoke ")), calls.join("\n"));
    assert.deepEqual(faults, []);
  });

  it("creates what a form says, and shows an error beside its field", async () => {
    await page.getByRole("link", { name: "Filter", exact: true }).click();
    await page.getByRole("link", { name: "Create a filter" }).first().click();
    await page.getByLabel("Users", { exact: true }).fill("departmnt eq 'Sales'");
    await page.getByRole("button", { name: "Use department" }).click();
    await page.getByRole("button", { name: "Save filter" }).click();
    await page.locator('input[aria-invalid="true"]').first().waitFor();
    await page.getByLabel("Name", { exact: true }).fill("Sales");
    await page.getByRole("button", { name: "Save filter" }).click();
    await page.getByRole("link", { name: "Sales", exact: true }).waitFor();
  });
});

// The last of all: nothing is left.
describe("an import, and an app, that go away", async () => {
  const { forget, jobOf, status } = await moduleOf("service");

  it("are forgotten by the service", async () => {
    const other = await ask("/v1/destinations", "POST", { kind: "forge", name: "Other", workspaceId: site.workspaceId, importId: "other", missingObjects: "unknown" });
    await forget(invoke, importId);
    assert.equal(await jobOf(invoke, importId), undefined);
    assert.equal(await status(invoke, importId), "NOT_CONFIGURED");
    await forget(invoke, importId); // Assets may repeat the call.
    assert.deepEqual((await ask("/v1/destinations", "GET")).items.map(({ id }) => id), [other.id]);
    assert.deepEqual(await ask("/v1/forge/uninstall", "POST"), { importsRemoved: 1, organizationRemoved: true });
    // A token from before the removal does not count; one of an installation that was made since does.
    assert.equal((await invoke("/v1/connections", "GET", undefined, {}, -5)).status, 401);
    assert.deepEqual((await invoke("/v1/connections", "GET", undefined, {}, 5)).body.items, []);
  });
});
