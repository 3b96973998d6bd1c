// Object types in Assets: those that are there already, values of users as objects, what fits, and whom a run recognises.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { accessible, assets, broken, call, connect, fits, healthy, importSource, open, run, signIn, simulator, visit } from "./support.js";
import { browser, page, visiting, visitor } from "./visiting.js";

type User = { id: string; userPrincipalName: string };

let people: User[];
let destinationId: string;

/** An object schema that others filled: `Employee` with people of the directory, a stranger, and one person twice. */
visiting(async () => {
  const made = await importSource("Staff");
  const text = (name: string) => ({ name, type: "text" });
  await simulator("POST", `${assets}/_sim/types`, { source: made.id, name: "Employee", attributes: [text("Name"), text("Entra ID"), text("UPN"), text("Job"), text("Desk"), text("Note")] });
  const reader = await call("POST", "/jobs", { name: "Reader", connectionId: await healthy() });
  await run(reader.id, "full");
  people = (await call("GET", `/jobs/${reader.id}/objects?type=users&limit=25`)).items;
  const object = (values: Record<string, string>) => simulator("POST", `${assets}/_sim/objects`, { objectType: "Employee", values });
  for (const { userPrincipalName } of people.slice(0, 20)) await object({ Name: "Old", UPN: userPrincipalName, Desk: "D-1" });
  await object({ Name: "Old", UPN: people[0]?.userPrincipalName ?? "" });
  await object({ Name: "Stranger", UPN: "stranger@elsewhere.example" });
  const { origin, email, apiToken } = await simulator("GET", `${assets}/_sim`);
  destinationId = (await call("POST", "/destinations", { kind: "assetsImport", name: "Staff", token: made.token, missingObjects: "ignore", api: { siteUrl: origin, email, apiToken } })).id;
});

/** The job of these tests. */
const staff = async () => (await call("GET", "/jobs?search=Staff")).items[0];

describe("an object type that Assets has already", () => {
  it("is listed with the destination, with what it looks like", async () => {
    await open(page, `/destination/${destinationId}`);
    await page.getByRole("group", { name: "Object types", exact: true }).getByRole("row", { name: /^Employee/ }).waitFor();
    await page.getByText("«Employee» looks like users").waitFor();
    await accessible(page, "types in Assets");
    await fits(page, "types in Assets");
  });

  it("is filled as proposed or as somebody changes it, beside values of users as objects", async () => {
    await open(page, "/import/new");
    await page.getByLabel("Name", { exact: true }).fill("Staff");
    await page.getByLabel("Source").selectOption({ index: 1 });
    const connectionId = await healthy();
    await page.getByLabel("Source").selectOption(connectionId);
    await page.getByLabel("Destination").selectOption({ label: "Staff" });
    await page.getByText("In Assets: built by the import – «Employee» is there already").click();
    await page.getByRole("button", { name: "Take the proposal" }).click();
    await page.getByText("In Assets: «Employee»").waitFor();
    const mapping = page.getByRole("group", { name: "What is written where" });
    assert.equal(await mapping.getByRole("combobox", { name: "User Principal Name", exact: true }).inputValue(), "UPN");
    await page.getByText(/^Never touched: .*Desk.*Note/).waitFor();
    await page.getByLabel("Write another attribute").selectOption({ label: "Department" });
    await mapping.getByRole("combobox", { name: "Department", exact: true }).selectOption({ value: "Note" });
    await page.getByText(/^Never touched: (?!.*Note).*Desk/).waitFor();
    await mapping.locator("xpath=..").getByLabel("Another attribute, by its key").fill("extension_0123456789abcdef0123456789abcdef_desk");
    await mapping.locator("xpath=..").getByRole("button", { name: "Add the attribute" }).click();
    await mapping.getByRole("combobox", { name: "extension_0123456789abcdef0123456789abcdef_desk" }).selectOption({ value: "Job" });
    await page.getByLabel("Objects are recognised by").selectOption({ label: "Object ID" });
    await page.getByLabel("Or, once, by").selectOption({ label: "User Principal Name" });
    await page.getByLabel("Groups", { exact: true }).uncheck();
    await page.getByLabel("Licences", { exact: true }).uncheck();
    await page.getByText("Departments and other values as objects").click();
    await page.getByLabel("Departments", { exact: true }).check();
    await page.getByText("In Assets: built by the import", { exact: true }).click();
    await page.getByLabel("Name of the object type for departments").fill("Department");
    await accessible(page, "existing type");
    await page.getByRole("button", { name: "Save import" }).click();
    await page.getByRole("heading", { level: 1, name: "Staff" }).waitFor();
    const { objects } = await call("GET", `/jobs/${(await staff()).id}`);
    const { existing } = objects.users;
    assert.deepEqual([existing.objectType, existing.identity, existing.matchBy], ["Employee", "objectId", "userPrincipalName"]);
    assert.equal(existing.attributes.extension_0123456789abcdef0123456789abcdef_desk, "Job");
    assert.deepEqual([existing.attributes.department, existing.attributes.objectId, existing.attributes.userPrincipalName], ["Note", "Entra ID", "UPN"]);
    assert.deepEqual([objects.departments.enabled, objects.departments.typeName, objects.groups.enabled], [true, "Department", false]);
  });

  it("says beside a field what the service refuses, and keeps what is taken out", async () => {
    const { id } = await staff();
    await open(page, `/import/${id}?tab=settings`);
    visitor.expected = [/status of 422/];
    const mapping = page.getByRole("group", { name: "What is written where" });
    await mapping.getByRole("combobox", { name: "Department", exact: true }).selectOption({ value: "UPN" });
    await page.getByRole("button", { name: "Save import" }).click();
    await mapping.getByText("is filled from").waitFor();
    await accessible(page, "existing type with a fault");
    await page.getByRole("button", { name: "Do not write Department" }).click();
    await page.getByRole("button", { name: "Save import" }).click();
    await page.getByRole("button", { name: "Start a dry run" }).waitFor();
    const { objects } = await call("GET", `/jobs/${id}`);
    assert.equal(objects.users.existing.attributes.department, undefined);
    assert.equal(objects.users.existing.attributes.userPrincipalName, "UPN");
  });

  it("shows what is wrong with it also where its fields cannot be shown", async () => {
    const { id } = await staff();
    visitor.expected = [/status of (422|500)/];
    await open(page, "/import");
    await broken(page, /destinations\/[^/]*\/types$/, async () => {
      await open(page, `/import/${id}?tab=settings`);
      await page.getByText("Assets could not be asked").first().waitFor();
      await page.getByLabel("Stay, marked as removed").check();
      await page.getByRole("button", { name: "Save import" }).click();
      await page.getByText("map it, or use another policy").waitFor();
    });
  });

  it("shows in a dry run who is matched, new, only in Assets and ambiguous", async () => {
    const { id } = await staff();
    await open(page, `/import/${id}`);
    await page.getByRole("button", { name: "Start a dry run" }).click();
    await page.locator("main .lozenge", { hasText: /^Succeeded/ }).first().waitFor({ timeout: 60_000 });
    const lists = page.getByRole("tablist", { name: "Objects in Assets and in Entra" });
    const changes = page.getByRole("listbox", { name: "Changes" });
    await lists.getByRole("tab", { name: "Matched (19)" }).click();
    await changes.getByRole("option").nth(18).waitFor();
    await page.getByRole("link", { name: "Show them in the list of changes" }).first().click();
    await lists.getByRole("tab", { name: /^Ambiguous/, selected: true }).waitFor();
    assert.ok(await page.locator("#changes").evaluate((element) => element === element.ownerDocument.activeElement), "the list has the focus");
    await changes.getByRole("option").first().waitFor();
    await page.getByText("tell the objects apart in Assets first").waitFor();
    await lists.getByRole("tab", { name: /^Only in Assets/ }).click();
    await changes.getByText("Stranger").waitFor();
    await lists.getByRole("tab", { name: /^Would be created/ }).click();
    await changes.getByRole("option").first().waitFor();
    await accessible(page, "matches");
  });

  it("gets its identities after an approval, and keeps what people wrote", async () => {
    const { id } = await staff();
    await open(page, `/import/${id}`);
    await page.getByRole("button", { name: "Start the import" }).click();
    await page.getByText("The run stopped and waits for your approval").waitFor({ timeout: 60_000 });
    await page.getByRole("tab", { name: "Matched (19)" }).click();
    await page.getByRole("listbox", { name: "Changes" }).getByRole("option").first().waitFor();
    await page.getByText("If the changes are right, approve the run.").waitFor();
    await page.getByRole("button", { name: "Refuse", exact: true }).click();
    await page.getByText("The run ends and nothing is delivered.", { exact: true }).waitFor();
    await page.getByRole("dialog").getByRole("button", { name: "Keep" }).click();
    await accessible(page, "approval of matches");
    await page.getByRole("button", { name: "Approve the changes" }).click();
    await page.getByRole("button", { name: "Approve", exact: true }).click();
    await page.locator("main .lozenge", { hasText: /^Succeeded/ }).first().waitFor({ timeout: 60_000 });
    await page.getByRole("tab", { name: /^Created \(\d+\)$/ }).waitFor();
    const { types } = await simulator("GET", `${assets}/_sim/truth`);
    const employees = types.Employee.objects as { values: Record<string, unknown> }[];
    const kept = employees.filter((one) => JSON.stringify(one).includes("D-1") && people.some((user) => JSON.stringify(one).includes(user.id)));
    assert.equal(kept.length, 19, JSON.stringify(employees[0]));
    assert.ok(types.Department.count > 0);
  });
});

describe("the Jira accounts of users", () => {
  it("are switched on with a name of their attribute, and what is refused is said there", async () => {
    const { token } = await importSource("Accounts");
    const plain = await call("POST", "/destinations", { kind: "assetsImport", name: "Accounts", token, missingObjects: "ignore" });
    const { id } = await call("POST", "/jobs", { name: "Accounts", connectionId: await healthy(), destinationId: plain.id });
    await open(page, `/import/${id}?tab=settings`);
    await page.getByLabel("Link each user with their Jira account").check();
    await page.getByLabel("Attribute for the Jira account").fill("Account");
    await accessible(page, "Jira accounts");
    visitor.expected = [/status of 422/];
    await page.getByRole("button", { name: "Save import" }).click();
    await page.getByText("The object API writes Jira accounts into objects").waitFor();
    await page.getByRole("link", { name: "Open the destination to add the object API" }).click();
    await page.getByText("Object API (optional)").click();
    await page.getByText("the Jira accounts of users").waitFor();
    assert.match((await page.getByRole("link", { name: "Create an API token" }).getAttribute("href")) ?? "", /^https:\/\/id\.atlassian\.com\//);
    await accessible(page, "object API");
    await open(page, `/import/${id}?tab=settings`);
    await page.getByLabel("Link each user with their Jira account").check();
    const { origin, email, apiToken } = await simulator("GET", `${assets}/_sim`);
    await call("PATCH", `/destinations/${plain.id}`, { api: { siteUrl: origin, email, apiToken } });
    await page.getByLabel("Attribute for the Jira account").fill("Key");
    await page.getByRole("button", { name: "Save import" }).click();
    await page.locator(".field .fault", { hasText: "gives to every object" }).waitFor();
    await page.getByLabel("Attribute for the Jira account").fill("Account");
    await page.getByRole("button", { name: "Save import" }).click();
    await page.getByRole("button", { name: "Start a dry run" }).waitFor();
    const { jiraUser, jiraUserAttribute } = (await call("GET", `/jobs/${id}`)).objects.users;
    assert.deepEqual([jiraUser, jiraUserAttribute], [true, "Account"]);
  });

  it("are counted by what came of them", async () => {
    const [{ id }] = (await call("GET", "/jobs?search=Accounts")).items;
    const { id: runId, counts } = await run(id, "test", { limit: 5 });
    const looked = Object.values(counts.users.jiraUsers as Record<string, number>).filter((count) => count > 0);
    assert.ok(looked.length > 0);
    await open(page, `/runs/${runId}`);
    const facts = page.getByRole("region", { name: "Jira accounts of users" }).getByRole("definition");
    await facts.first().waitFor();
    assert.deepEqual((await facts.allTextContents()).sort(), looked.map(String).sort());
    await page.getByRole("region", { name: "Jira accounts of users" }).getByRole("link", { name: "Each user" }).click();
    const rows = page.getByRole("group", { name: "Jira accounts" }).locator("tbody tr");
    await rows.first().waitFor();
    assert.equal(await page.getByRole("tab", { name: "Jira accounts" }).getAttribute("aria-selected"), "true");
    const { items } = await call("GET", `/jobs/${id}/jira-users?limit=50`);
    assert.equal(await rows.count(), items.length);
    await accessible(page, "Jira accounts of users");
    for (const [outcome, label] of [["set", "Written"], ["notFound", "No account found"], ["waiting", "Not looked for yet"]]) {
      const some = items.filter((one: { outcome: string }) => one.outcome === outcome).length;
      await page.getByLabel("Result", { exact: true }).selectOption({ label });
      await (some === 0 ? page.getByText("Nobody.") : rows.nth(some - 1)).waitFor();
      assert.equal(await rows.count(), some, outcome);
    }
    const narrow = await visit(browser, { width: 360 });
    await signIn(narrow.page);
    await open(narrow.page, `/import/${id}?tab=accounts`);
    await narrow.page.getByRole("group", { name: "Jira accounts" }).locator("tbody tr").first().waitFor();
    await fits(narrow.page, "Jira accounts of users");
    assert.deepEqual(narrow.faults, []);
    await narrow.context.close();
  });

  it("stay as they are, like everything of the objects, when something else changes", async () => {
    const [{ id }] = (await call("GET", "/jobs?search=Accounts")).items;
    await call("PATCH", `/jobs/${id}`, { objects: { users: { references: ["manager"], names: { department: "Team" } }, groups: { attributes: ["description"] }, roles: { enabled: true }, departments: { typeName: "Team" } } });
    const { objects } = await call("GET", `/jobs/${id}`);
    await open(page, "/import");
    await open(page, `/import/${id}?tab=settings`);
    assert.equal(await page.getByLabel("Attribute for the Jira account").inputValue(), "Account");
    await page.getByLabel("Name", { exact: true }).fill("Accounts again");
    await page.getByRole("button", { name: "Save import" }).click();
    await page.getByRole("button", { name: "Start a dry run" }).waitFor();
    const now = await call("GET", `/jobs/${id}`);
    assert.deepEqual([now.name, now.objects], ["Accounts again", objects]);
  });
});

describe("references to objects that others made", () => {
  it("are chosen from what Assets has, stay as they are, and are taken out", async () => {
    const made = await importSource("Centers");
    const text = (name: string) => ({ name, type: "text" });
    await simulator("POST", `${assets}/_sim/types`, { source: made.id, name: "Cost Center", attributes: [text("Title"), text("Code"), { name: "Since", type: "date" }] });
    const destination = await call("POST", "/destinations", { kind: "assetsImport", name: "Centers", token: made.token, missingObjects: "ignore" });
    const { id } = await call("POST", "/jobs", { name: "Centers", connectionId: await healthy(), destinationId: destination.id });
    const settings = () => open(page, `/import/${id}?tab=settings`);
    const save = async () => {
      await page.getByRole("button", { name: "Save import" }).click();
      await page.getByRole("button", { name: "Start a dry run" }).waitFor();
      return (await call("GET", `/jobs/${id}`)).objects.users.lookups;
    };
    await settings();
    await page.getByText("References to your own objects: none").first().click();
    await page.getByLabel("Refer by another text").first().selectOption({ label: "Department" });
    const reference = page.getByRole("group", { name: "Reference by Department" });
    await reference.getByLabel("Department is that of").selectOption({ label: "Cost Center" });
    const by = reference.getByLabel("There it is in");
    assert.deepEqual(await by.locator("option").allTextContents(), ["The name of the object", "Key", "Title", "Code"], "texts only");
    await by.selectOption({ label: "Code" });
    await accessible(page, "references to other objects");
    await fits(page, "references to other objects");
    const chosen = [{ attribute: "department", objectType: "Cost Center", by: "Code" }];
    assert.deepEqual(await save(), chosen);
    await settings();
    await page.getByLabel("Name", { exact: true }).fill("Centers again");
    assert.deepEqual(await save(), chosen);
    await settings();
    visitor.expected = [/status of 422/];
    await reference.getByLabel("Name of the reference").fill("Key");
    await page.getByRole("button", { name: "Save import" }).click();
    await reference.locator(".fault", { hasText: "gives to every object" }).waitFor();
    await page.getByRole("button", { name: "Do not refer by Department" }).click();
    assert.deepEqual((await save()) ?? [], []);
  });
});

describe("values of users as objects", () => {
  it("refer to objects that others made, as users do", async () => {
    const made = await importSource("Budgets");
    const text = (name: string) => ({ name, type: "text" });
    await simulator("POST", `${assets}/_sim/types`, { source: made.id, name: "Budget", attributes: [text("Title"), text("Team")] });
    const destination = await call("POST", "/destinations", { kind: "assetsImport", name: "Budgets", token: made.token, missingObjects: "ignore" });
    const { id } = await call("POST", "/jobs", { name: "Budgets", connectionId: await healthy(), destinationId: destination.id, objects: { departments: {} } });
    const settings = () => open(page, `/import/${id}?tab=settings`);
    const stored = async () => (await call("GET", `/jobs/${id}`)).objects.departments;
    const save = async () => {
      await page.getByRole("button", { name: "Save import" }).click();
      await page.getByRole("button", { name: "Start a dry run" }).waitFor();
    };
    await settings();
    await page.getByText("References to your own objects: none").last().click();
    await page.getByLabel("Refer by another text").last().selectOption({ label: "Name" });
    const reference = page.getByRole("group", { name: "Reference by Name" });
    await reference.getByLabel("Name is that of").selectOption({ label: "Budget" });
    await reference.getByLabel("There it is in").selectOption({ label: "Team" });
    await accessible(page, "references of values");
    await fits(page, "references of values");
    await save();
    assert.deepEqual((await stored()).lookups, [{ attribute: "name", objectType: "Budget", by: "Team" }]);
    await settings();
    visitor.expected = [/status of 422/];
    await reference.getByLabel("Name of the reference").fill("Key");
    await page.getByRole("button", { name: "Save import" }).click();
    await reference.locator(".fault", { hasText: "gives to every object" }).waitFor();
    assert.equal(await page.getByText("gives to every object").count(), 1, "said in one place");
    await page.getByRole("button", { name: "Do not refer by Name" }).click();
    await save();
    const { enabled, lookups } = await stored();
    assert.deepEqual([enabled, lookups ?? []], [true, []]);
  });

  it("say which object type of Assets they fill", async () => {
    const made = await importSource("Teams");
    await simulator("POST", `${assets}/_sim/types`, { source: made.id, name: "Team", attributes: [{ name: "Name", type: "text" }, { name: "Value", type: "text" }] });
    const destination = await call("POST", "/destinations", { kind: "assetsImport", name: "Teams", token: made.token, missingObjects: "ignore" });
    const existing = { objectType: "Team", identity: "valueId", attributes: { valueId: "Value", name: "Name" } };
    const { id } = await call("POST", "/jobs", { name: "Teams", connectionId: await healthy(), destinationId: destination.id, objects: { departments: { existing } } });
    await open(page, `/import/${id}?tab=settings`);
    await page.getByText("In Assets: «Team»").waitFor();
    assert.equal(await page.getByLabel("Name of the object type for departments").count(), 0);
    visitor.expected = [/status of 422/];
    await page.getByLabel("Stay, marked as removed").check();
    await page.getByRole("button", { name: "Save import" }).click();
    await page.getByText("map it, or use another policy").waitFor();
  });
});

describe("what an import brings", () => {
  it("is not called large where only a permission is missing", async () => {
    const references = { users: { references: ["manager"] }, groups: { references: [] } };
    const job = await call("POST", "/jobs", { name: "Small", connectionId: await connect("no-licences"), objects: { ...references, licenses: {} } });
    await open(page, `/import/${job.id}?tab=fit`);
    await page.getByText("As far as it could be counted, the import fits").waitFor();
    await page.getByRole("button", { name: "Leave out licenses" }).waitFor();
    assert.equal(await page.getByText("larger than Atlassian recommends").count(), 0);
    await accessible(page, "fit without a permission");
  });


  it("is compared with what Atlassian recommends, and made smaller by one click", async () => {
    const attributes = (await call("GET", "/attributes?objectType=users&limit=200")).items.filter((one: { assetsType: string }) => one.assetsType !== "referenced_object").map((one: { key: string }) => one.key);
    const job = await call("POST", "/jobs", { name: "Wide", connectionId: await healthy(), objects: { users: { attributes: attributes.slice(0, 50) } } });
    await open(page, `/import/${job.id}?tab=fit`);
    await page.getByText("The import is larger than Atlassian recommends").waitFor();
    await page.getByRole("group", { name: "What the import brings" }).getByRole("row", { name: /^Users/ }).waitFor();
    await accessible(page, "fit");
    await page.getByRole("button", { name: "Import the default attributes" }).click();
    await page.getByRole("button", { name: "Import the default attributes" }).waitFor({ state: "detached" });
    assert.equal((await call("GET", `/jobs/${job.id}`)).objects.users.attributes, null);
  });

  it("is shown whole on a narrow screen with dark colours", async () => {
    const narrow = await visit(browser, { width: 360, dark: true });
    await signIn(narrow.page);
    const { id } = await staff();
    const dryRun = await run(id, "dryRun");
    for (const route of [`/destination/${destinationId}`, `/import/${id}?tab=settings`, `/import/${id}?tab=fit`, `/runs/${dryRun.id}`]) {
      await open(narrow.page, route);
      await narrow.page.waitForLoadState("networkidle");
      await fits(narrow.page, route);
      await accessible(narrow.page, route);
    }
    assert.deepEqual(narrow.faults, []);
    await narrow.context.close();
  });
});
