// A browser before the real service and the simulators. What `make contract` starts is named by the environment.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";

function setting(name: string): string {
  const value = process.env[name];
  if (value === undefined) throw new Error(`${name} is not set`);
  return value;
}

export const service = setting("API_URL");
export const key = setting("API_KEY");
export const graph = setting("ENTRA_ASSETS_GRAPH_URL");
export const assets = setting("ENTRA_ASSETS_ASSETS_URL");
export const importToken = setting("IMPORT_TOKEN");

export type Tenant = { name: string; domain: string; tenantId: string; clientId: string; clientSecret: string; adminToken: string };

async function json(method: string, url: string, body?: unknown, headers: Record<string, string> = {}): Promise<any> {
  const content = body === undefined ? undefined : JSON.stringify(body);
  const answer = await fetch(url, { method, body: content, headers: { "Content-Type": "application/json", ...headers } });
  const text = await answer.text();
  assert.ok(answer.ok, `${method} ${url}: ${answer.status} ${text}`);
  return text === "" ? undefined : JSON.parse(text);
}

/** A call of the API, for what a test needs before it begins. */
export const call = (method: string, path: string, body?: unknown, by = key) => json(method, `${service}/v1${path}`, body, { Authorization: `Bearer ${by}` });
/** A call of a simulator. */
export const simulator = (method: string, url: string, body?: unknown, token?: string) => json(method, url, body, token ? { Authorization: `Bearer ${token}` } : {});

export async function tenant(name: string): Promise<Tenant> {
  const { tenants } = (await simulator("GET", `${graph}/_sim/tenants`)) as { tenants: Tenant[] };
  const found = tenants.find((one) => one.name === name);
  assert.ok(found, `no tenant ${name}`);
  return found;
}

/** A connection that exists already. Answers with its id. */
export async function connect(name: string): Promise<string> {
  const { tenantId, clientId, clientSecret } = await tenant(name);
  const body = { name, tenantId, clientId, credential: { kind: "clientSecret", secret: clientSecret } };
  return (await call("POST", "/connections?check=true", body)).id;
}

export const launch = () =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });

/** What a browser did that it must not do. */
export type Visitor = { context: BrowserContext; page: Page; faults: string[]; expected: RegExp[] };

/** A browser context that notes errors in the console and requests to other origins. */
export async function visit(browser: Browser, options: { width?: number; dark?: boolean } = {}): Promise<Visitor> {
  const { width = 1280, dark = false } = options;
  const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme: dark ? "dark" : "light", locale: "en-GB", acceptDownloads: true });
  const visitor: Visitor = { context, page: await context.newPage(), faults: [], expected: [] };
  const note = (text: string) => {
    if (!visitor.expected.some((pattern) => pattern.test(text))) visitor.faults.push(text);
  };
  visitor.page.on("console", (message) => message.type() === "error" && note(`console: ${message.text()}`));
  visitor.page.on("pageerror", (error) => note(`error: ${error.message}`));
  context.on("request", (request) => {
    if (!request.url().startsWith(`${service}/`) && !request.url().startsWith("blob:")) note(`other origin: ${request.url()}`);
  });
  visitor.page.setDefaultTimeout(15_000);
  return visitor;
}

export async function signIn(page: Page, by = key): Promise<void> {
  await page.goto(`${service}/console`);
  await page.getByLabel("API key").fill(by);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("navigation", { name: "Main" }).waitFor();
}

export async function open(page: Page, route: string): Promise<void> {
  await page.goto(`${service}/console/#${route}`);
  await page.getByRole("heading", { level: 1 }).waitFor();
}

const axe = readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Fails with what axe finds on the page as it is. */
export async function accessible(page: Page, where: string): Promise<void> {
  const cannotRun = await page.evaluate("typeof axe === 'undefined'");
  if (cannotRun) await page.evaluate(await axe);
  const { violations } = (await page.evaluate("axe.run(document)")) as { violations: { id: string; help: string; nodes: { html: string }[] }[] };
  const found = violations.map(({ id, help, nodes }) => `${id}: ${help}\n  ${nodes.slice(0, 3).map((node) => node.html.slice(0, 200)).join("\n  ")}`);
  assert.deepEqual(found, [], `axe on ${where}`);
}

export async function fits(page: Page, where: string): Promise<void> {
  const [inner, outer] = (await page.evaluate("[document.documentElement.scrollWidth, innerWidth]")) as [number, number];
  assert.ok(inner <= outer, `${where} is ${inner} pixels wide in a window of ${outer}`);
}

/** Answers requests to the service as if it had failed, while something is done. */
export async function broken(page: Page, path: RegExp, act: () => Promise<unknown>): Promise<void> {
  const body = JSON.stringify({ type: "about:blank", title: "Broken", status: 500, detail: "The service broke for a test.", code: "internal_error", requestId: "test" });
  await page.route(path, (route) => route.fulfill({ status: 500, contentType: "application/problem+json", body }));
  try {
    await act();
  } finally {
    await page.unroute(path);
  }
}

/** Runs a job, and waits until the run has ended or waits for somebody. Answers with the run. */
export async function run(jobId: string, mode: string, options: { limit?: number } = {}): Promise<any> {
  const { id } = await call("POST", `/jobs/${jobId}/runs`, { mode, ...options });
  for (;;) {
    const run = await call("GET", `/runs/${id}`);
    if (run.finishedAt !== null || run.state === "awaitingApproval") return run;
    await new Promise((done) => setTimeout(done, 200));
  }
}

/** An import source of its own in Assets, so that tests do not meet. */
export const importSource = (name: string): Promise<{ id: string; token: string }> => simulator("POST", `${assets}/_sim/sources`, { name });

/** A connection that can read everything. */
export async function healthy(): Promise<string> {
  const { items } = await call("GET", "/connections?limit=200");
  const { tenantId } = await tenant("healthy");
  const known = items.find((one: { tenantId: string }) => one.tenantId === tenantId);
  return known?.id ?? connect("healthy");
}

/** A module of the pages, to ask its functions without a page. */
export async function source<T>(path: string): Promise<T> {
  const { createServer } = await import("vite");
  const server = await createServer({ configFile: false, root: process.cwd(), server: { middlewareMode: true, hmr: false, ws: false }, appType: "custom", logLevel: "error", optimizeDeps: { noDiscovery: true } });
  try {
    return (await server.ssrLoadModule(path)) as T;
  } finally {
    await server.close();
  }
}
