// The pictures of the documents, from the real service and the simulators: `make screenshots`.
import { mkdir } from "node:fs/promises";
import type { Page } from "playwright-core";
import { call, connect, graph, importToken, launch, open, run, signIn, simulator, tenant, visit } from "./support.js";

const FOLDER = "../docs/images";
const [HEIGHT, WIDTH] = [860, 1280];

async function shoot(page: Page, name: string): Promise<void> {
  await page.waitForLoadState("networkidle");
  await page.evaluate("document.activeElement?.blur()");
  await page.screenshot({ path: `${FOLDER}/${name}.png`, animations: "disabled" });
}

/** A connection that works, a filter, a destination and a job. */
async function setUp(): Promise<{ jobId: string; filterId: string }> {
  const connectionId = await connect("healthy");
  await call("PATCH", `/connections/${connectionId}`, { name: "Contoso" });
  const filter = await call("POST", "/filters", { name: "Active employees", users: { odata: "accountEnabled eq true and userType eq 'Member'" } });
  const destination = await call("POST", "/destinations", { kind: "assetsImport", name: "People", token: importToken, missingObjects: "ignore" });
  const removal = { policy: "mark", afterMissingRuns: 1 };
  const job = await call("POST", "/jobs", { name: "Nightly import", connectionId, filterId: filter.id, destinationId: destination.id, removal, schedule: { cron: "30 6 * * *", timezone: "Europe/Berlin" } });
  await call("POST", `/jobs/${job.id}/schema`);
  return { jobId: job.id, filterId: filter.id };
}

await mkdir(FOLDER, { recursive: true });
const browser = await launch();
const { page } = await visit(browser, { width: WIDTH });
await page.setViewportSize({ width: WIDTH, height: HEIGHT });
await signIn(page);

const broken = await connect("delegated-diagnosable");
await call("PATCH", `/connections/${broken}`, { name: "Fabrikam" });
await open(page, `/source/${broken}`);
await page.getByText("Click this one").waitFor();
await shoot(page, "console-source");

const { jobId, filterId } = await setUp();
await open(page, `/filter/${filterId}`);
await page.getByRole("button", { name: "Users: use a form" }).click();
await page.getByLabel("Property").first().waitFor();
await page.getByText("@contoso.example").first().waitFor();
await shoot(page, "console-filter");

await run(jobId, "full");
await simulator("POST", `${graph}/_sim/changes`, { share: 0.1 });
const { id: dryRun } = await run(jobId, "dryRun");
await open(page, `/runs/${dryRun}`);
await page.getByRole("listbox", { name: "Changes" }).waitFor();
await page.getByLabel("Change", { exact: true }).selectOption({ label: "Update" });
await page.getByRole("group", { name: "Values" }).waitFor();
await page.getByRole("listbox", { name: "Changes" }).scrollIntoViewIfNeeded();
await shoot(page, "console-dry-run");

await call("PATCH", `/filters/${filterId}`, { users: { odata: "department eq 'Sales'" } });
const { id: stopped } = await run(jobId, "full");
await open(page, `/runs/${stopped}`);
await page.getByText("More objects are gone than the brake allows").waitFor();
await page.getByText("no longer matches the filter").first().waitFor();
await shoot(page, "console-brake");

const { tenantId, clientId } = await tenant("delegated");
const awaiting = await call("POST", "/connections", { name: "Contoso", tenantId, clientId, credential: { kind: "awaited" } });
const { url } = await call("POST", `/connections/${awaiting.id}/handovers`);
const guest = await visit(browser, { width: WIDTH });
await guest.page.setViewportSize({ width: WIDTH, height: HEIGHT });
await guest.page.goto(process.env.API_URL + url);
await guest.page.getByText("Register the application").waitFor();
await shoot(guest.page, "console-handover");

await browser.close();
