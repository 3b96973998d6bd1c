// The console, used as a person uses it. The tests build on each other: each begins with what the one before it made.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { accessible, assets, broken, call, fits, graph, importToken, open, service, signIn, simulator, tenant, visit } from "./support.js";
import { browser, count, ended, page, visiting, visitor } from "./visiting.js";

describe("an administrator", () => {
  visiting(undefined, { signedIn: false });

  it("is refused with a wrong key and signs in with the right one", async () => {
    visitor.expected = [/status of 401/];
    await page.goto(`${service}/console`);
    await page.getByText("or its operator set one (ENTRA_ASSETS_ADMIN_KEY)").waitFor();
    await accessible(page, "sign-in");
    await page.getByLabel("API key").fill("not-a-key");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByText("The service does not know this key").waitFor();
    await signIn(page);
    await page.getByRole("heading", { name: "Set up the import" }).waitFor();
    await accessible(page, "overview");
  });

  it("sees an error of the service beside the field that it names", async () => {
    visitor.expected = [/status of 422/];
    await open(page, "/source/new");
    await page.getByLabel("Name", { exact: true }).fill("Contoso");
    await page.getByLabel("Directory (tenant) ID").fill("common");
    await page.getByLabel("Application (client) ID").fill("my app");
    await page.getByLabel("Client secret", { exact: true }).last().fill("5c0a0000-5ec1-4000-8000-000000000008");
    await page.getByRole("button", { name: "Save & check connection" }).click();
    for (const label of ["Directory (tenant) ID", "Application (client) ID"]) {
      const field = page.getByLabel(label);
      await page.waitForFunction((element) => (element as HTMLElement).ariaInvalid !== null || (element as HTMLElement).getAttribute("aria-invalid") === "true", await field.elementHandle());
    }
    await page.locator(".fault", { hasText: "Application (client) ID" }).waitFor();
    await page.locator(".fault", { hasText: "Secret ID" }).waitFor();
    await accessible(page, "source with faults");
  });

  it("connects a tenant and sees that everything can be read", async () => {
    const { tenantId, clientId, clientSecret } = await tenant("healthy");
    await page.getByLabel("Directory (tenant) ID").fill(tenantId);
    await page.getByLabel("Application (client) ID").fill(clientId);
    await page.locator('input[type="password"]').fill(clientSecret);
    await page.getByRole("button", { name: "Save & check connection" }).click();
    await page.locator(".message .title", { hasText: /^Works$/ }).waitFor();
    for (const name of ["Users", "Groups", "Nested groups", "Licences"]) {
      await page.getByRole("row", { name: new RegExp(`^${name} Works`) }).waitFor();
    }
    await accessible(page, "check");
  });

  it("sees an error of a filter under its place, takes the correction, and sees whom the filter takes", async () => {
    await open(page, "/filter/new");
    await page.getByLabel("Name", { exact: true }).fill("Sales");
    await page.getByLabel("Users", { exact: true }).fill("departmnt eq 'Sales'");
    assert.equal(await page.locator("mark").textContent(), "departmnt");
    await accessible(page, "filter with a fault");
    await page.getByRole("button", { name: "Use department" }).click();
    const truth = (await simulator("GET", `${graph}/_sim/truth`)) as { users: number };
    await page.getByText(`of ${truth.users}`, { exact: true }).waitFor();
    await page.getByText("@contoso.example").first().waitFor();
    await page.getByRole("button", { name: "Save filter" }).click();
    await page.getByRole("link", { name: "Sales", exact: true }).waitFor();
    await page.getByText("Users: department eq 'Sales'").waitFor();
    await page.getByRole("link", { name: "Next: destination" }).click();
    await page.getByRole("heading", { level: 1, name: "Destination" }).waitFor();
  });

  it("is helped with properties, operators and values, and picks groups by name", async () => {
    await open(page, "/filter/new");
    const users = page.getByLabel("Users", { exact: true });
    await users.pressSequentially("depart");
    const suggest = (name: string) => page.getByRole("group", { name: "Suggestions" }).getByRole("button", { name, exact: true });
    await suggest("department").click();
    await users.press("End");
    await suggest("eq").click();
    assert.equal(await users.inputValue(), "department eq ");
    await users.fill("accountEnabled eq ");
    await suggest("true").waitFor();
    await accessible(page, "completion");
    await page.getByLabel("Only members of certain groups").check();
    await page.getByLabel("Find a group").fill("Department");
    const found = page.getByRole("list", { name: "Groups found" }).getByRole("button").first();
    const name = (await found.textContent())?.trim() ?? "";
    await found.click();
    await page.getByRole("button", { name: `Remove ${name}` }).waitFor();
    await accessible(page, "group picker");
  });

  it("adds a destination, and Assets accepts its token", async () => {
    await open(page, "/destination/new");
    await page.getByLabel("Name", { exact: true }).fill("People");
    await page.getByLabel("Token of the import source").fill(importToken);
    assert.ok(await page.getByLabel("I do not know yet").isChecked(), "nobody can know it before the first import");
    await accessible(page, "destination form");
    await page.getByRole("button", { name: "Save & check destination" }).click();
    await page.getByText("Object types are not built yet").waitFor();
    await accessible(page, "destination");
  });

  it("creates an import, builds its object types, and sees in a dry run what it would do", async () => {
    await open(page, "/import/new");
    await page.getByLabel("Name", { exact: true }).fill("Nightly");
    await page.getByText(/more than 200\) are newly missing or out of scope in one run/).waitFor();
    await page.getByLabel("Stay, marked as removed").check();
    await page.getByLabel("After how many runs").fill("1");
    await page.getByText("is marked by the 1st complete run").waitFor();
    await accessible(page, "import form");
    await page.getByRole("button", { name: "Save import" }).click();
    await page.getByRole("button", { name: "Build", exact: true }).click();
    await page.getByText("Up to date").waitFor();
    await accessible(page, "import");
    await page.getByRole("button", { name: "Start a dry run" }).click();
    await ended("Dry run", "Succeeded");
    const truth = (await simulator("GET", `${graph}/_sim/truth`)) as { users: number };
    assert.equal(await count("Users", "To create"), truth.users);
    await page.getByText("What the columns mean").click();
    await page.getByRole("definition").filter({ hasText: "Objects that were read and are in scope." }).waitFor();
    await page.getByRole("listbox", { name: "Changes" }).getByRole("option").first().waitFor();
    await page.getByRole("listbox", { name: "Changes" }).getByRole("option").nth(3).click();
    await page.getByRole("group", { name: "Values" }).getByRole("row").nth(1).waitFor();
    await accessible(page, "dry run");
    const { objects } = (await simulator("GET", `${assets}/_sim/counts`)) as { objects: Record<string, number> };
    assert.equal(objects["Entra User"] ?? 0, 0, "a dry run sends nothing");
  });

  it("tests with 100 users, imports everything with live progress, and downloads the report", async () => {
    await page.getByRole("link", { name: "Back to the import" }).click();
    await page.getByRole("button", { name: "Start the test" }).click();
    await ended("Test", "Succeeded");
    assert.equal(await count("Users", "Created"), 100);
    await page.getByRole("link", { name: "Back to the import" }).click();
    await simulator("POST", `${graph}/_sim/latency`, { millis: 300 });
    await page.getByRole("button", { name: "Start the import" }).click();
    await page.getByRole("progressbar").waitFor();
    await accessible(page, "progress");
    await simulator("POST", `${graph}/_sim/latency`, { millis: 0 });
    await ended("Full import", "Succeeded");
    const truth = (await simulator("GET", `${graph}/_sim/truth`)) as { users: number; groups: number };
    const { objects } = (await simulator("GET", `${assets}/_sim/counts`)) as { objects: Record<string, number> };
    assert.deepEqual([objects["Entra User"], objects["Entra Group"]], [truth.users, truth.groups]);
    assert.equal(await count("Users", "Read"), truth.users);
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: "Excel: download the report" }).click();
    assert.match((await download).suggestedFilename(), /\.xlsx$/);
  });

  it("says what Assets does with missing objects once Assets shows it", async () => {
    const [job] = (await call("GET", "/jobs")).items;
    const [destination] = (await call("GET", "/destinations")).items;
    assert.equal(destination.missingObjects, "unknown");
    await open(page, `/import/${job.id}?tab=settings`);
    await page.getByLabel("Only what changed").check();
    await page.getByText("Everything is sent all the same").waitFor();
    await page.getByRole("tab", { name: "Run" }).click();
    await page.getByText("What does Assets do with missing objects?").waitFor();
    await accessible(page, "question of missing objects");
    await page.getByRole("link", { name: "the settings of «People»" }).click();
    await page.getByLabel("It leaves them alone (Ignore)").check();
    const saved = page.waitForResponse((answer) => answer.request().method() === "PATCH");
    await page.getByRole("button", { name: "Save & check destination" }).click();
    assert.equal((await saved).status(), 200);
    // An answer that a page no longer wants never finishes.
    const asked = page.waitForEvent("requestfinished", (request) => /\/v1\/destinations\/[^/?]+$/.test(request.url()));
    await open(page, `/import/${job.id}`);
    await page.getByRole("button", { name: "Start the test" }).waitFor();
    await asked;
    assert.equal(await page.getByText("What does Assets do with missing objects?").count(), 0);
    await page.getByRole("tab", { name: "Settings" }).click();
    await page.getByLabel("Only what changed").check();
    assert.equal(await page.getByText("Everything is sent all the same").count(), 0);
  });

  it("narrows the filter too far, is stopped by the brake, looks at what is missing, refuses once, and approves", async () => {
    const [job] = (await call("GET", "/jobs")).items;
    await open(page, `/import/${job.id}`);
    await page.getByRole("tab", { name: "Settings" }).click();
    await page.getByLabel("Filter").selectOption({ label: "Sales" });
    await page.getByRole("button", { name: "Save import" }).click();
    await page.getByRole("button", { name: "Start the import" }).click();
    await page.getByText("More objects are gone than the brake allows").waitFor({ timeout: 60_000 });
    await page.getByText("no longer matches the filter").first().waitFor();
    await page.getByText("cancel it and fix the filter or the connection").waitFor();
    await accessible(page, "brake");
    // However many runs came after it.
    await page.route(/v1\/runs\?limit=20/, (route) => route.fulfill({ json: { items: [], nextCursor: null } }));
    await open(page, "/");
    await page.getByText("A run waits for your approval").waitFor();
    await accessible(page, "overview with a run that waits");
    await page.unrouteAll();
    await page.getByRole("link", { name: "Look at the run" }).click();
    await page.getByRole("button", { name: "Refuse", exact: true }).click();
    await page.getByText("Check the filter and the permissions of the source first.").waitFor();
    await page.getByRole("button", { name: "Refuse and end the run" }).click();
    await ended("Full import", "Cancelled");
    await page.getByRole("link", { name: "Back to the import" }).click();
    await page.getByRole("button", { name: "Start the import" }).click();
    await page.getByText("More objects are gone than the brake allows").waitFor({ timeout: 60_000 });
    await page.getByRole("button", { name: "Approve and go on" }).click();
    visitor.expected = [/status of 500/];
    await broken(page, /approve$/, async () => {
      await page.getByRole("button", { name: "Approve", exact: true }).click();
      await page.getByRole("dialog").getByText("The service broke for a test.").waitFor();
    });
    await page.getByRole("button", { name: "Approve", exact: true }).click();
    await ended("Full import", "Succeeded");
    assert.ok((await count("Users", "Marked as removed")) > 0);
  });

  it("asks why somebody is not imported, and is told which condition does not hold", async () => {
    const [job] = (await call("GET", "/jobs")).items;
    const { sample } = await call("POST", "/filters/preview", { connectionId: job.connectionId, users: { odata: "department ne 'Sales'" } });
    const { userPrincipalName } = sample.users[0];
    await open(page, `/filter/${job.filterId}`);
    await page.getByLabel("Find a user", { exact: true }).fill(userPrincipalName);
    await page.getByRole("list", { name: "Users found" }).getByRole("button").first().click();
    const answer = page.getByRole("region", { name: "Explanation" });
    const condition = answer.getByRole("list", { name: "Conditions" }).getByRole("listitem");
    await condition.first().waitFor();
    assert.match((await condition.first().textContent()) ?? "", /^Does not hold department eq 'Sales'/);
    await accessible(page, "explanation");
    await open(page, `/import/${job.id}?tab=explain`);
    await page.getByLabel("Find a user", { exact: true }).fill("nobody@contoso.example");
    await page.getByRole("button", { name: "Explain", exact: true }).click();
    await answer.getByText("There is no user").first().waitFor();
    await open(page, `/runs/${(await call("GET", "/runs")).items[0].id}`);
  });

  it("cancels a run", async () => {
    await page.getByRole("link", { name: "Back to the import" }).click();
    await simulator("POST", `${graph}/_sim/latency`, { millis: 2000 });
    await page.getByRole("button", { name: "Start the import" }).click();
    await page.getByRole("button", { name: "Cancel run" }).click();
    await page.getByRole("button", { name: "Cancel the run" }).click();
    await ended("Full import", "Cancelled");
    await simulator("POST", `${graph}/_sim/latency`, { millis: 0 });
  });

  it("is told when the runs or a change could not be loaded", async () => {
    const [job] = (await call("GET", "/jobs")).items;
    const [last] = (await call("GET", `/jobs/${job.id}/runs?state=succeeded`)).items;
    visitor.expected = [/status of 500/];
    const told = () => page.getByText("The service broke for a test.").first().waitFor();
    await open(page, "/import");
    await broken(page, /jobs\/[^/]*\/runs\?/, async () => {
      await open(page, `/import/${job.id}?tab=history`);
      await told();
      await page.getByRole("tab", { name: "Run" }).click();
      await told();
    });
    await open(page, `/runs/${last.id}`);
    await page.getByRole("listbox", { name: "Changes" }).getByRole("option").nth(1).waitFor();
    await broken(page, /runs\/[^/]*\/changes\?/, async () => {
      await page.getByRole("listbox", { name: "Changes" }).getByRole("option").nth(1).click();
      await told();
    });
  });

  it("sees how much Graph still allows, whatever the operator allows at most", async () => {
    const [{ id }] = (await call("GET", "/runs")).items;
    const stored = await call("GET", `/runs/${id}`);
    const progress = { stage: "collect", done: 1, total: 2, objectsPerSecond: 1, resourceUnits: 5, resourceUnitsLeft: 20_000, throttledMs: 0 };
    await page.route(new RegExp(`/v1/runs/${id}$`), (route) => route.fulfill({ json: { ...stored, state: "running", finishedAt: null, error: null, stage: "collect", progress } }));
    const less = { id: 1, at: stored.queuedAt, event: "progress", data: { counts: stored.counts, progress: { ...progress, resourceUnitsLeft: 15_000 } } };
    await page.route(/\/events\?/, (route) => route.fulfill({ json: { items: [less], nextAfter: 1, done: true } }));
    await open(page, "/");
    await open(page, `/runs/${id}`);
    const meter = page.getByRole("meter", { name: "Resource units left" });
    await page.locator('meter[value="15000"]').waitFor();
    assert.equal(await meter.getAttribute("max"), "20000");
    await accessible(page, "what Graph allows");
    await page.unrouteAll();
    await open(page, "/history");
  });

  it("finds all runs in the history", async () => {
    await page.getByRole("link", { name: "History" }).click();
    await page.getByLabel("Result").selectOption({ label: "Cancelled" });
    await page.getByRole("group", { name: "Runs" }).getByText("Cancelled").first().waitFor();
    await page.getByLabel("Result").selectOption({ label: "All results" });
    await page.getByRole("img", { name: /Duration/ }).waitFor();
    await accessible(page, "history");
  });

  it("works with the keyboard alone", async () => {
    await open(page, "/");
    await page.getByRole("link", { name: "Skip to the content" }).focus();
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate("document.activeElement?.tagName"), "MAIN");
    await page.getByRole("link", { name: "Import", exact: true }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Import", level: 1 }).waitFor();
    await page.getByRole("link", { name: "Nightly" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("tab", { name: "Run" }).focus();
    await page.keyboard.press("ArrowRight");
    await page.getByRole("tab", { name: "Settings", selected: true }).waitFor();
  });

  it("waits while the service is away, and goes on when it is back", async () => {
    visitor.expected = [/ERR_INTERNET_DISCONNECTED/];
    await open(page, "/history");
    await visitor.context.setOffline(true);
    await page.getByRole("link", { name: "Destination" }).click();
    await page.getByText("The service does not answer. Trying again").waitFor();
    await visitor.context.setOffline(false);
    await page.getByRole("link", { name: "People" }).waitFor();
    await page.getByText("The service does not answer").waitFor({ state: "detached" });
  });

  it("saves a source with a key that may not check it, and is told so", async () => {
    const { id, key: writer } = await call("POST", "/api-keys", { name: "Writer", scopes: ["read", "write"] });
    const [connection] = (await call("GET", "/connections")).items;
    const other = await visit(browser);
    await signIn(other.page, writer);
    await open(other.page, `/source/${connection.id}`);
    await other.page.getByRole("tab", { name: "Settings" }).click();
    await other.page.getByLabel("Name", { exact: true }).fill("Renamed");
    other.expected = [/status of 403/];
    await other.page.getByRole("button", { name: "Save & check connection" }).click();
    await other.page.getByRole("heading", { level: 1, name: "Renamed" }).waitFor();
    await other.page.getByRole("alert").getByText("does not have the scope `run`").waitFor();
    assert.equal(await other.page.getByRole("tab", { name: "Check", exact: true }).getAttribute("aria-selected"), "true");
    assert.deepEqual(other.faults, []);
    await other.context.close();
    await call("PATCH", `/connections/${connection.id}`, { name: connection.name });
    await call("DELETE", `/api-keys/${id}`);
  });

  it("creates a key, loses the session when it is revoked, and finds the page as it was", async () => {
    visitor.expected = [/status of 401/];
    await open(page, "/settings/keys");
    await page.getByLabel("Name", { exact: true }).fill("Short-lived");
    await page.getByLabel("write", { exact: true }).check();
    await page.getByRole("button", { name: "Create key" }).click();
    const created = await page.locator(".copyable pre").textContent();
    await accessible(page, "keys");
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("API key").fill(created ?? "");
    await page.getByRole("button", { name: "Sign in" }).click();
    await open(page, "/source/new");
    await page.getByLabel("Name", { exact: true }).fill("Not lost");
    const { items } = await call("GET", "/api-keys");
    await call("DELETE", `/api-keys/${items[0].id}`);
    await page.getByRole("button", { name: "Save & check connection" }).click();
    await page.getByRole("heading", { name: "Sign in again" }).waitFor();
    await page.getByLabel("API key").fill(process.env.API_KEY ?? "");
    await page.getByRole("dialog").getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("dialog").waitFor({ state: "detached" });
    assert.equal(await page.getByLabel("Name", { exact: true }).inputValue(), "Not lost");
  });
});

describe("a narrow screen and dark colours", () => {
  visiting(undefined, { width: 360, dark: true });

  it("show every page whole, with enough contrast", async () => {
    const [job] = (await call("GET", "/jobs")).items;
    const [run] = (await call("GET", "/runs")).items;
    const [connection] = (await call("GET", "/connections")).items;
    for (const route of ["/", "/source", "/source/new", `/source/${connection.id}`, "/filter/new", "/destination/new", "/import/new", `/import/${job.id}`, `/import/${job.id}?tab=explain`, `/runs/${run.id}`, "/history", "/settings/keys", "/settings/webhooks", "/settings/audit", "/settings/workers", "/settings/organizations"]) {
      await open(page, route);
      await page.waitForLoadState("networkidle");
      await fits(page, route);
      await accessible(page, route);
    }
    await open(page, `/runs/${run.id}`);
    await page.getByText("What the columns mean").click();
    await fits(page, "the meaning of columns");
    await open(page, "/destination/new");
    await page.getByText("Object API (optional)").click();
    await page.getByText("without scopes").first().waitFor();
    await fits(page, "what needs the object API");
  });
});
