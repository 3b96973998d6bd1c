// What an import knows of the directory: the insights with their lists and files, and the page of one object.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { accessible, call, fits, healthy, importSource, open, run, signIn, visit } from "./support.js";
import { browser, page, visiting } from "./visiting.js";

let jobId: string;

visiting(async () => {
  const { token } = await importSource("Insights");
  const destination = await call("POST", "/destinations", { kind: "assetsImport", name: "Insights", token, missingObjects: "ignore" });
  jobId = (await call("POST", "/jobs", { name: "Insights", connectionId: await healthy(), destinationId: destination.id })).id;
  assert.equal((await run(jobId, "full")).state, "succeeded");
});

const insights = async (): Promise<any[]> => (await call("GET", `/jobs/${jobId}/insights`)).items;
const card = (title: string) => page.getByRole("region", { name: title, exact: true });

describe("insights", () => {
  it("show each number with its rule, or why it is not known", async () => {
    await open(page, `/import/${jobId}?tab=insights`);
    const all = await insights();
    await card(all[0].title).waitFor();
    for (const { title, rule, count, unknownBecause } of all) {
      const shown = (await card(title).textContent()) ?? "";
      assert.ok(shown.includes(rule), shown);
      assert.ok(shown.includes(unknownBecause?.replaceAll("`", "") ?? ""), shown);
      assert.equal(await card(title).locator(".metric").textContent(), count?.toLocaleString("en-GB") ?? "–", title);
      assert.equal(count === null, unknownBecause !== null, title);
    }
    assert.ok(all.some((one) => one.unknownBecause === null && one.count > 0));
    await accessible(page, "insights");
  });

  it("list the objects behind a number page by page, and give them as a file", async () => {
    const { title, insight } = (await insights()).find((one) => one.insight === "licensedDisabledUsers");
    const count = (await call("GET", `/jobs/${jobId}/insights/objects?insight=${insight}&limit=200`)).items.length;
    await card(title).getByRole("button", { name: `Show the list: ${title}` }).click();
    const rows = card(title).getByRole("group", { name: title }).locator("tbody tr");
    await rows.first().waitFor();
    for (let shown = await rows.count(); shown < count; shown = await rows.count()) {
      await card(title).getByRole("button", { name: "Show more" }).click();
      await rows.nth(shown).waitFor();
    }
    assert.equal(await rows.count(), count);
    await accessible(page, "insight with its list");
    const files = [] as string[];
    for (const name of ["Excel", "CSV"]) {
      const download = page.waitForEvent("download");
      await card(title).getByRole("button", { name: `${name}: download ${title}` }).click();
      const file = await download;
      files.push(file.suggestedFilename());
      if (name === "CSV") assert.equal((await readFile(await file.path(), "utf8")).trim().split("\n").length, count + 1, insight);
    }
    assert.match(files.join(" "), /\.xlsx .*\.csv$/);
  });

  it("are part of the history, for each import", async () => {
    await open(page, "/history/insights");
    await page.getByLabel("Import", { exact: true }).selectOption(jobId);
    await card((await insights())[0].title).waitFor();
    assert.equal(await page.getByRole("navigation", { name: "History" }).getByRole("link", { name: "Insights" }).getAttribute("aria-current"), "page");
  });
});

describe("an object", () => {
  it("is found by its name, and shows what Entra has, its links, its delivery and its history", async () => {
    const { items } = await call("GET", `/jobs/${jobId}/objects?type=users&limit=200`);
    const somebody = items.find((one: { managerId?: string }) => one.managerId);
    await open(page, `/import/${jobId}?tab=objects`);
    await page.getByLabel("Name", { exact: true }).fill(somebody.userPrincipalName);
    await page.getByRole("group", { name: "Objects" }).getByRole("link", { name: somebody.displayName }).first().click();
    await page.getByRole("heading", { level: 1, name: somebody.displayName }).waitFor();
    await page.getByText("In Entra and in Assets").waitFor();
    await page.getByRole("group", { name: "In Entra" }).getByRole("row", { name: `User Principal Name ${somebody.userPrincipalName}` }).waitFor();
    await page.getByRole("group", { name: "In Assets" }).getByRole("row").nth(3).waitFor();
    await page.getByRole("list", { name: "History" }).getByText("Create", { exact: true }).waitFor();
    await accessible(page, "object");
    const links = page.getByRole("region", { name: "Linked with" });
    const manager = links.getByRole("definition").first().getByRole("link");
    const name = (await manager.textContent()) ?? "";
    await manager.click();
    await page.getByRole("heading", { level: 1, name, exact: true }).waitFor();
  });

  it("is reached from a change of a run", async () => {
    const [last] = (await call("GET", `/jobs/${jobId}/runs`)).items;
    await open(page, `/runs/${last.id}`);
    await page.getByRole("listbox", { name: "Changes" }).getByRole("option").first().click();
    await page.getByRole("link", { name: "Open the object" }).click();
    await page.getByText("In Entra and in Assets").waitFor();
  });

  it("and the insights fit on a narrow screen with dark colours", async () => {
    const narrow = await visit(browser, { width: 360, dark: true });
    await signIn(narrow.page);
    const { items } = await call("GET", `/jobs/${jobId}/objects?type=users&limit=1`);
    for (const route of [`/import/${jobId}?tab=insights`, `/import/${jobId}?tab=objects`, `/objects/${jobId}/users/${items[0].id}`, "/history/insights", "/history/schedules"]) {
      await open(narrow.page, route);
      await narrow.page.waitForLoadState("networkidle");
      await fits(narrow.page, route);
      await accessible(narrow.page, route);
    }
    assert.deepEqual(narrow.faults, []);
    await narrow.context.close();
  });
});
