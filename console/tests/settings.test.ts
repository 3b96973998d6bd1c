// Schedules, webhooks and the audit log: what happens by itself, who is told of it, and who did what.
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { after, before, describe, it } from "node:test";
import { accessible, broken, call, fits, healthy, open, signIn, visit } from "./support.js";
import { browser, page, visiting, visitor } from "./visiting.js";

visiting();

describe("a schedule", () => {
  let jobId: string;
  before(async () => {
    jobId = (await call("POST", "/jobs", { name: "Scheduled", connectionId: await healthy() })).id;
  });

  it("is chosen as people say it, with a rarer time at which everything is read", async () => {
    await open(page, `/import/${jobId}?tab=settings`);
    await page.getByLabel("Runs", { exact: true }).selectOption({ label: "Every day" });
    await page.getByLabel("At", { exact: true }).fill("05:45");
    await page.getByLabel("Time zone").selectOption("Europe/Berlin");
    await page.getByLabel("Besides, everything is read").selectOption({ label: "Every week" });
    await page.getByLabel("On", { exact: true }).selectOption({ label: "Sunday" });
    await page.getByLabel("Repeat a failed run, at most so often").fill("2");
    await page.getByLabel("Each time after so many minutes").fill("20");
    await accessible(page, "schedule");
    await page.getByRole("button", { name: "Save import" }).click();
    const card = page.getByRole("region", { name: "Schedule" });
    await card.getByText("Every day at 05:45 (Europe/Berlin), what changed; everything: every Sunday at 03:00").waitFor();
    assert.equal(await card.getByRole("list", { name: "Next times" }).getByRole("listitem").count(), 5);
    const { schedule } = await call("GET", `/jobs/${jobId}`);
    assert.deepEqual([schedule.cron, schedule.fullCron, schedule.retry.attempts, schedule.retry.afterMinutes], ["45 5 * * *", "0 3 * * 0", 2, 20]);
    await accessible(page, "import with a schedule");
  });

  it("is paused and resumed, on its page and among all schedules", async () => {
    await page.getByRole("button", { name: "Pause the schedule of Scheduled" }).click();
    await page.getByRole("region", { name: "Schedule" }).getByText("Paused by hand").waitFor();
    assert.equal((await call("GET", `/jobs/${jobId}`)).schedule.pausedReason, "manual");
    await open(page, "/history/schedules");
    const row = page.getByRole("group", { name: "Schedules" }).getByRole("row", { name: /^Scheduled/ });
    await row.getByText("Paused by hand").waitFor();
    await accessible(page, "schedules");
    await row.getByRole("button", { name: "Resume the schedule of Scheduled" }).click();
    await row.getByRole("button", { name: "Pause the schedule of Scheduled" }).waitFor();
    const { nextRunAt } = (await call("GET", `/jobs/${jobId}`)).schedule;
    assert.equal(await row.getByRole("time").getAttribute("datetime"), nextRunAt);
  });

  const schedule = async () => (await call("GET", `/jobs/${jobId}`)).schedule;
  async function save(): Promise<void> {
    const saved = page.waitForResponse((answer) => answer.request().method() === "PATCH");
    await page.getByRole("button", { name: "Save import" }).click();
    assert.equal((await saved).status(), 200);
    await page.getByRole("button", { name: "Start a dry run" }).waitFor();
  }

  it("keeps its settings when something else of the import changes", async () => {
    const before = await schedule();
    await open(page, `/import/${jobId}?tab=settings`);
    assert.equal(await page.getByLabel("At", { exact: true }).first().inputValue(), "05:45");
    await page.getByLabel("Brake, in percent").fill("15");
    await page.getByLabel("Only what changed").check();
    await save();
    assert.deepEqual(await schedule(), before);
    const { removal, deliver } = await call("GET", `/jobs/${jobId}`);
    assert.deepEqual([removal.brakePercent, deliver], [15, "changes"]);
  });

  it("stays paused when something else changes, and goes on when it changes itself", async () => {
    await call("POST", `/jobs/${jobId}/pause`);
    const before = await schedule();
    assert.equal(before.pausedReason, "manual");
    await open(page, "/history");
    await open(page, `/import/${jobId}?tab=settings`);
    await page.getByText("The schedule is paused. A change of it lets it go on.").waitFor();
    assert.ok(await page.getByLabel("Switched on").isChecked());
    await page.getByLabel("Brake, in percent").fill("16");
    await save();
    assert.deepEqual(await schedule(), before);
    await open(page, `/import/${jobId}?tab=settings`);
    await page.getByLabel("At", { exact: true }).first().fill("04:45");
    await save();
    const { cron, enabled, pausedReason } = await schedule();
    assert.deepEqual([cron, enabled, pausedReason], ["45 4 * * *", true, null]);
  });

  it("that reads everything keeps its second time, also when the first changes", async () => {
    await call("PATCH", `/jobs/${jobId}`, { schedule: { mode: "full", fullCron: "0 3 1 * *" } });
    const before = await schedule();
    await open(page, "/history");
    await open(page, `/import/${jobId}?tab=settings`);
    await page.getByLabel("Name", { exact: true }).fill("Scheduled again");
    await save();
    assert.deepEqual(await schedule(), before);
    await open(page, `/import/${jobId}?tab=settings`);
    assert.equal(await page.getByLabel("Cron expression").inputValue(), "0 3 1 * *");
    await page.getByLabel("At", { exact: true }).first().fill("03:45");
    await save();
    const { cron, mode, fullCron } = await schedule();
    assert.deepEqual([cron, mode, fullCron], ["45 3 * * *", "full", "0 3 1 * *"]);
  });
});

describe("a webhook", () => {
  const received: { headers: IncomingMessage["headers"]; body: string }[] = [];
  const receiver = new URL(process.env.WEBHOOK_RECEIVER ?? "http://127.0.0.1:9");
  let status = 500;
  let server: Server;
  before(async () => {
    server = createServer((request, response) => {
      let body = "";
      request.on("data", (part) => (body += part)).on("end", () => {
        received.push({ headers: request.headers, body });
        response.writeHead(status).end();
      });
    });
    await new Promise<void>((done) => server.listen(Number(receiver.port), receiver.hostname, done));
  });
  after(() => server.close());

  const card = () => page.getByRole("region", { name: "Chat", exact: true });
  const deliveries = () => card().getByRole("group", { name: "Deliveries of Chat" });
  const refresh = () => card().getByRole("button", { name: "Refresh the deliveries of Chat" }).click();

  /** Asks again until the first delivery reads so: a worker sends it in its own time. */
  async function shows(text: RegExp): Promise<void> {
    for (let attempt = 0; attempt < 60; attempt += 1) {
      if (text.test((await deliveries().locator("tbody tr").first().textContent().catch(() => "")) ?? "")) return;
      await page.waitForTimeout(250);
      await refresh();
    }
    assert.match((await deliveries().textContent()) ?? "", text);
  }

  it("is tested, shows the answer of its receiver, and sends again", async () => {
    await open(page, "/settings/webhooks");
    await page.getByLabel("Name", { exact: true }).fill("Chat");
    await page.getByLabel("Address").fill(`${receiver.origin}/hook`);
    await page.getByRole("button", { name: "Add webhook" }).click();
    await card().getByRole("button", { name: "Send a test" }).click();
    await shows(/A test.*To be sent.*1 attempt.*500/s);
    status = 204;
    await deliveries().getByRole("button", { name: "Send again" }).first().click();
    await shows(/A test.*Delivered/s);
    assert.ok(received.length >= 2);
    const [first, last] = [received[0], received.at(-1)];
    assert.equal(last?.headers["webhook-id"], first?.headers["webhook-id"], "the same delivery");
    await deliveries().getByText("Body").first().click();
    await deliveries().getByText('"event": "test"').first().waitFor();
    await accessible(page, "webhooks");
  });

  it("gets a new secret that is shown once, and signs with it", async () => {
    const before = received.length;
    await card().getByRole("button", { name: "Sign with a secret" }).click();
    const dialog = page.getByRole("dialog");
    const secret = (await dialog.locator(".copyable pre").textContent()) ?? "";
    assert.match(secret, /^whsec_/);
    await accessible(page, "new secret");
    await dialog.getByRole("button", { name: "Use this secret" }).click();
    await card().getByText("· signed").waitFor();
    assert.ok(!(await page.content()).includes(secret), "the secret is gone");
    await card().getByRole("button", { name: "Change the secret" }).click();
    await dialog.getByLabel("Sign with the secret before too?").selectOption({ label: "For an hour" });
    await dialog.getByRole("button", { name: "Use this secret" }).click();
    await card().getByText("with the secret before too, until").waitFor();
    await card().getByRole("button", { name: "Send a test" }).click();
    for (let attempt = 0; received.length === before && attempt < 60; attempt += 1) await page.waitForTimeout(250);
    assert.ok(received.length > before);
    await shows(/A test.*Delivered/s);
    assert.equal(String(received.at(-1)?.headers["webhook-signature"]).split(" ").length, 2, "signed with both secrets");
  });

  it("is told of chosen imports alone, and later of all again", async () => {
    const { id } = await call("POST", "/jobs", { name: "Told", connectionId: await healthy() });
    const stored = async () => (await call("GET", "/webhooks?limit=200")).items.find((one: { name: string }) => one.name === "Some imports").jobIds;
    await open(page, "/history");
    await open(page, "/settings/webhooks");
    const form = page.getByRole("form", { name: "Add a webhook" });
    await form.getByLabel("Name", { exact: true }).fill("Some imports");
    await form.getByLabel("Address").fill(`${receiver.origin}/hook`);
    await form.getByRole("radio", { name: "Chosen imports" }).check();
    visitor.expected = [/status of 422/];
    await form.getByRole("button", { name: "Add webhook" }).click();
    await form.locator(".fault").waitFor();
    await form.getByRole("checkbox", { name: "Told", exact: true }).check();
    await accessible(page, "webhook for chosen imports");
    await form.getByRole("button", { name: "Add webhook" }).click();
    const some = page.getByRole("region", { name: "Some imports", exact: true });
    await some.getByText("Told of chosen imports: Told.").waitFor();
    assert.deepEqual(await stored(), [id]);
    await some.getByRole("button", { name: "Choose imports" }).click();
    const dialog = page.getByRole("dialog");
    assert.ok(await dialog.getByRole("checkbox", { name: "Told", exact: true }).isChecked());
    await accessible(page, "imports of a webhook");
    await dialog.getByRole("radio", { name: "All imports" }).check();
    await dialog.getByRole("button", { name: "Save the choice" }).click();
    await some.getByText("Told of all imports.").waitFor();
    assert.equal(await stored(), null);
  });

  it("shows the deliveries of one state, and fits on a narrow screen with dark colours", async () => {
    const state = card().getByRole("combobox", { name: "Deliveries of Chat" });
    await state.focus();
    await state.selectOption({ label: "Given up" });
    await card().getByText("None.").waitFor();
    assert.ok(await state.evaluate((element) => element === element.ownerDocument.activeElement), "the choice keeps the focus");
    const narrow = await visit(browser, { width: 360, dark: true });
    await signIn(narrow.page);
    await open(narrow.page, "/settings/webhooks");
    await narrow.page.getByText("A test").first().waitFor();
    await fits(narrow.page, "webhooks");
    await accessible(narrow.page, "webhooks");
    assert.deepEqual(narrow.faults, []);
    await narrow.context.close();
  });
});

describe("the audit log", () => {
  it("says in words who did what, also of a key that is gone", async () => {
    const made = await call("POST", "/api-keys", { name: "Robot", scopes: ["write", "run"] });
    const job = await call("POST", "/jobs", { name: "Of a robot", connectionId: await healthy() }, made.key);
    const { id } = await call("POST", `/jobs/${job.id}/runs`, { mode: "dryRun" }, made.key);
    await open(page, `/runs/${id}`);
    await page.getByText("Started by the key «Robot»,").waitFor();
    await open(page, "/history/runs");
    await page.getByRole("group", { name: "Runs" }).getByRole("cell", { name: "The key «Robot»", exact: true }).first().waitFor();
    await open(page, "/settings/audit");
    const log = page.getByRole("group", { name: "Audit log" });
    await log.getByRole("row", { name: /The key «Robot».* Import: created/ }).waitFor();
    await log.getByRole("row", { name: /The key of the operator.* Webhook: got a new secret/ }).first().waitFor();
    await log.getByRole("row", { name: /The key of the operator.* Webhook: tested/ }).first().waitFor();
    await call("DELETE", `/api-keys/${made.id}`);
    await page.reload();
    await log.getByRole("row", { name: new RegExp(`The key ${made.id}.* Import: created`) }).waitFor();
  });

  it("shows that more could not be loaded until something else is chosen", async () => {
    await page.route(/audit-events\?(?!.*cursor)/, async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, json: { ...(await response.json()), nextCursor: "more" } });
    });
    await open(page, "/history");
    await open(page, "/settings/audit");
    visitor.expected = [/status of 500/];
    await broken(page, /audit-events\?.*cursor/, async () => {
      await page.getByRole("button", { name: "Show earlier events" }).click();
      await page.getByText("The service broke for a test.").waitFor();
    });
    await page.getByLabel("What", { exact: true }).selectOption({ label: "Webhook" });
    await page.getByRole("group", { name: "Audit log" }).getByText("Webhook: tested").first().waitFor();
    assert.equal(await page.getByText("The service broke for a test.").count(), 0);
    await page.unrouteAll();
  });
});
