// A filter as a form: built, changed into text and back without loss, and what the service says shown at its place.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { accessible, broken, call, fits, healthy, open, signIn, source, visit } from "./support.js";
import { browser, page, visiting, visitor } from "./visiting.js";

let connectionId: string;

visiting(async () => {
  connectionId = await healthy();
});

const text = (kind: string) => page.getByLabel(kind, { exact: true });
const asForm = (kind: string) => page.getByRole("button", { name: `${kind}: use a form` });
const asText = (kind: string) => page.getByRole("button", { name: `${kind}: write as text` });
const condition = (kind: string, place: number) => page.getByRole("group", { name: `${kind}: conditions, condition ${place}`, exact: true });
const add = (kind: string) => page.getByRole("group", { name: `${kind}: conditions`, exact: true }).getByRole("button", { name: "Add a condition", exact: true }).last();

describe("a filter as a form", () => {
  it("is built by choosing, previews whom it takes, and says the same as the text", async () => {
    await open(page, "/filter/new");
    await page.getByLabel("Name", { exact: true }).fill("Built by choosing");
    await asForm("Users").click();
    await add("Users").click();
    await condition("Users", 1).getByLabel("Property").selectOption({ label: "Department" });
    await condition("Users", 1).getByLabel("Value").fill("Sales");
    await add("Users").click();
    await condition("Users", 2).getByLabel("Property").selectOption({ label: "User type" });
    await condition("Users", 2).getByLabel("Comparison").selectOption({ label: "is not" });
    await condition("Users", 2).getByLabel("Value").selectOption({ label: "Guest" });
    await condition("Users", 2).getByText("Advanced query").waitFor();
    const { counts } = await call("POST", "/filters/preview", { connectionId, users: { odata: "department eq 'Sales' and userType ne 'Guest'" } });
    await page.locator(".metric", { hasText: new RegExp(`^${counts.users.count}$`) }).first().waitFor();
    await accessible(page, "filter form");
    await asText("Users").click();
    assert.equal(await text("Users").inputValue(), "department eq 'Sales' and userType ne 'Guest'");
    await asForm("Users").click();
    assert.equal(await condition("Users", 2).getByLabel("Value").inputValue(), "Guest");
    await page.getByRole("button", { name: "Save filter" }).click();
    await page.getByText("Users: Department is Sales and User type is not Guest").waitFor();
    const [stored] = (await call("GET", "/filters?search=Built")).items;
    assert.deepEqual(stored.users.where.all.map((one: { value: string }) => one.value), ["Sales", "Guest"]);
  });

  it("opens again as the form that was stored, and stays as it is when nothing was changed", async () => {
    const [before] = (await call("GET", "/filters?search=Built")).items;
    await open(page, `/filter/${before.id}`);
    assert.equal(await condition("Users", 1).getByLabel("Value").inputValue(), "Sales");
    await asText("Users").click();
    await text("Users").waitFor();
    const saved = page.waitForResponse((answer) => answer.request().method() === "PATCH");
    await page.getByRole("button", { name: "Save filter" }).click();
    assert.equal((await saved).status(), 200);
    const now = await call("GET", `/filters/${before.id}`);
    assert.deepEqual(now.users, before.users);
  });

  /** Every kind of condition: groups within groups, negations, collections, counts, missing values, lists. */
  const CONDITIONS = [
    "accountEnabled eq true and (department eq 'Sales' or startsWith(displayName, 'A'))",
    "not (endsWith(mail, '@contoso.com')) and userType ne 'Guest'",
    "department in ('Sales', 'Marketing') and not (country in ('DE', 'FR'))",
    "assignedLicenses/any(x:x/skuId eq 05e9a617-0261-4cee-bb44-138d3ef5d965)",
    "proxyAddresses/any(x:startsWith(x, 'smtp:')) and assignedLicenses/$count ne 0",
    "not (assignedPlans/any(x:x/service eq 'exchange' and x/capabilityStatus eq 'Enabled'))",
    "companyName ne null and not (companyName eq 'Microsoft')",
    "createdDateTime ge 2026-01-31T00:00:00Z and employeeId eq null",
    "not (department eq 'Sales' and (city eq 'Berlin' or city eq 'Bonn')) or manager/id eq '05e9a617-0261-4cee-bb44-138d3ef5d965'",
  ];

  for (const odata of CONDITIONS) {
    it(`loses nothing of ${odata}`, async () => {
      const { valid, users, errors } = await call("POST", "/filters/validate", { users: { odata } });
      assert.ok(valid, JSON.stringify(errors));
      await open(page, "/filter");
      await open(page, "/filter/new");
      await page.getByLabel("Name", { exact: true }).fill(odata.slice(0, 60));
      await text("Users").fill(odata);
      await asForm("Users").click();
      await condition("Users", 1).waitFor();
      const sent = page.waitForRequest((request) => request.method() === "POST" && request.url().endsWith("/v1/filters"));
      await page.getByRole("button", { name: "Save filter" }).click();
      assert.deepEqual((await sent).postDataJSON().users, { where: users.where });
      await page.getByRole("heading", { level: 1, name: "Filter", exact: true }).waitFor();
    });
  }

  const openMore = () => page.getByText("Conditions on applications, service principals, roles, administrative units").click();

  it("is written on applications, service principals, roles and administrative units too, and previewed", async () => {
    await open(page, "/filter");
    await open(page, "/filter/new");
    await page.getByLabel("Name", { exact: true }).fill("Other kinds");
    await openMore();
    await asForm("Applications").click();
    await add("Applications").click();
    await condition("Applications", 1).getByLabel("Property").selectOption({ label: "Sign in audience" });
    await condition("Applications", 1).getByLabel("Value").selectOption({ label: "AzureADMyOrg" });
    assert.equal(await condition("Applications", 1).getByText("The source needs this permission").count(), 0);
    await text("Service principals").fill("servicePrincipalType eq 'Application'");
    await text("Roles").fill("isBuiltIn eq true");
    await text("Administrative units").fill("displayNam eq 'North'");
    assert.equal(await page.locator("mark").textContent(), "displayNam");
    await accessible(page, "filter of other kinds");
    await page.getByRole("button", { name: "Use displayName" }).click();
    const rules = { applications: { odata: "signInAudience eq 'AzureADMyOrg'" }, servicePrincipals: { odata: "servicePrincipalType eq 'Application'" }, roles: { odata: "isBuiltIn eq true" }, administrativeUnits: { odata: "displayName eq 'North'" } };
    const { counts, sample } = await call("POST", "/filters/preview", { connectionId, ...rules });
    const preview = page.getByRole("region", { name: "Preview" });
    for (const [name, count] of [["Applications", counts.applications], ["Service principals", counts.servicePrincipals], ["Roles", counts.roles], ["Administrative units", counts.administrativeUnits]] as const) {
      await preview.locator("dl > div", { hasText: name }).locator(".metric", { hasText: new RegExp(`^${count.exact || count.count === null ? "" : "≈ "}${count.count ?? "–"}$`) }).waitFor();
    }
    await preview.getByRole("tab", { name: "Service principals" }).click();
    await preview.getByText(sample.servicePrincipals[0].displayName, { exact: true }).waitFor();
    await page.getByRole("button", { name: "Save filter" }).click();
    await page.getByText("Applications: Sign in audience is AzureADMyOrg").waitFor();
    await page.getByText("Service principals: servicePrincipalType eq 'Application'").waitFor();
    const row = page.getByRole("row", { name: /^Other kinds/ });
    assert.equal(await row.getByText("Everything").count(), 0);
  });

  it("keeps every kind when something else of the filter changes", async () => {
    const odata = "startsWith(displayName, 'A')";
    const tree = { property: "displayName", operator: "eq", value: "B" };
    const rules = { users: { odata }, groups: { where: tree }, devices: { odata }, applications: { where: tree }, servicePrincipals: { odata }, roles: { odata: "displayName eq 'A'" }, administrativeUnits: { where: tree } };
    const rest = { scope: { users: "membersOfFilteredGroups", groups: "containingFilteredUsers", transitive: false }, exclude: { userNames: ["x@contoso.example"], groupNames: ["Everybody"] }, limits: { maxUsers: 5, maxGroups: 6 }, outside: "stub" };
    const { id } = await call("POST", "/filters", { name: "All kinds", ...rules, ...rest });
    const { name: _, version: __, updatedAt: ___, ...before } = await call("GET", `/filters/${id}`);
    await open(page, `/filter/${id}`);
    await condition("Applications", 1).waitFor();
    await page.getByLabel("Name", { exact: true }).fill("All kinds again");
    const saved = page.waitForResponse((answer) => answer.request().method() === "PATCH");
    await page.getByRole("button", { name: "Save filter" }).click();
    assert.equal((await saved).status(), 200);
    const { name, version: _v, updatedAt: _u, ...after } = await call("GET", `/filters/${id}`);
    assert.equal(name, "All kinds again");
    assert.deepEqual(after, before);
  });

  it("keeps the values of a list that are not touched: numbers, and spaces at a beginning", async () => {
    const property = "extension_5c0a0000c11e4000800000000000000a_level";
    const lists = { all: [{ property, operator: "in", value: [1, 2] }, { property: "department", operator: "in", value: [" Sales", "Marketing"] }] };
    const { id } = await call("POST", "/filters", { name: "Lists", users: { where: lists } });
    await open(page, `/filter/${id}`);
    await condition("Users", 1).getByLabel("Values").press("End");
    await condition("Users", 1).getByLabel("Values").fill("1\n2\n30");
    await condition("Users", 2).getByLabel("Values").fill(" Sales\nMarketing\n  Legal");
    const sent = page.waitForRequest((request) => request.method() === "PATCH");
    await page.getByRole("button", { name: "Save filter" }).click();
    const { where } = (await sent).postDataJSON().users;
    assert.deepEqual(where.all.map((one: { value: unknown }) => one.value), [[1, 2, 30], [" Sales", "Marketing", "Legal"]]);
  });

  it("says when it could not be checked", async () => {
    visitor.expected = [/status of 500/];
    await open(page, "/filter");
    await broken(page, /filters\/validate$/, async () => {
      await open(page, "/filter/new");
      await page.getByText("The conditions could not be checked").waitFor();
    });
  });

  it("is not saved while a condition lacks a value, and shows an error of the service at its condition", async () => {
    await open(page, "/filter/new");
    await page.getByLabel("Name", { exact: true }).fill("Not yet");
    await asForm("Groups").click();
    await add("Groups").click();
    await condition("Groups", 1).getByLabel("Property").selectOption({ label: "Display name" });
    await page.getByRole("button", { name: "Save filter" }).click();
    await condition("Groups", 1).getByText("Give a value.").waitFor();
    assert.equal(await page.evaluate("document.activeElement?.tagName"), "INPUT");
    await condition("Groups", 1).getByLabel("Value").fill("Sales");
    await add("Groups").click();
    await condition("Groups", 2).getByLabel("Property").selectOption({ label: "A directory extension or another name…" });
    await condition("Groups", 2).getByLabel("Name of the property").fill("departmnt");
    await condition("Groups", 2).getByLabel("Value").fill("Sales");
    await condition("Groups", 2).locator(".fault").first().waitFor();
    assert.equal(await condition("Groups", 1).locator(".fault").count(), 0);
    await asText("Groups").click();
    await page.getByText("when they have no fault").waitFor();
    await accessible(page, "filter form with a fault");
    await page.getByRole("button", { name: "Remove Groups: conditions, condition 2" }).click();
    await asText("Groups").click();
    assert.equal(await text("Groups").inputValue(), "displayName eq 'Sales'");
  });

  it("picks the objects of ids by name, and works with the keyboard alone", async () => {
    await open(page, "/filter");
    await open(page, "/filter/new");
    await asForm("Groups").focus();
    await page.keyboard.press("Enter");
    await add("Groups").focus();
    await page.keyboard.press("Enter");
    await condition("Groups", 1).getByLabel("Property").focus();
    await page.keyboard.type("Id");
    await condition("Groups", 1).getByLabel("Property").selectOption({ label: "Id" });
    await condition("Groups", 1).getByLabel("Find a group").fill("Department");
    const found = condition("Groups", 1).getByRole("list", { name: "Groups found" }).getByRole("button").first();
    await found.focus();
    await page.keyboard.press("Enter");
    assert.match(await condition("Groups", 1).getByLabel("Value").inputValue(), /^[0-9a-f-]{36}$/);
  });

  it("fits on a narrow screen with dark colours", async () => {
    const narrow = await visit(browser, { width: 360, dark: true });
    await signIn(narrow.page);
    const { items } = await call("GET", "/filters?limit=200");
    for (const one of items) {
      await open(narrow.page, `/filter/${one.id}`);
      await narrow.page.getByLabel("Property").first().or(narrow.page.getByLabel("Users", { exact: true })).first().waitFor();
      await fits(narrow.page, one.name);
      await accessible(narrow.page, one.name);
    }
    assert.deepEqual(narrow.faults, []);
    await narrow.context.close();
  });
});

/** What the form would offer of each property, sent to the service: none of it is refused. */
describe("the comparisons that the form offers", () => {
  type Field = { name: string | null; valueType: string; elements: Field[] };
  type Way = { key: string };
  type Choices = { fieldsOf: (properties: unknown[]) => Field[]; waysOf: (field: Field, part: unknown) => Way[]; partFor: (field: Field, id: number) => unknown; compared: (way: Way, field: Field, part: unknown) => any };
  type Model = { emptyGroup: (parts: unknown[]) => any; treeOf: (group: unknown) => { where: unknown } };

  /** How many there are at least. */
  const LEAST = { users: 60, groups: 60, devices: 60, applications: 60, servicePrincipals: 60, roles: 4, administrativeUnits: 20 };

  for (const [kind, least] of Object.entries(LEAST)) {
    it(`are valid: ${kind}`, async () => {
      const { fieldsOf, waysOf, partFor, compared } = await source<Choices>("/src/pages/filter/form/choices.ts");
      const { emptyGroup, treeOf } = await source<Model>("/src/pages/filter/form/model.ts");
      const { items } = await call("GET", `/filter-properties?objectType=${kind}`);
      let count = 0;
      for (const field of fieldsOf(items)) {
        const start = partFor(field, 1);
        const parts = waysOf(field, start).flatMap((way) => {
          const part = compared(way, field, start);
          if (part.kind !== "elements") return [filled(part, field)];
          const inner = field.elements.flatMap((element) => waysOf(element, partFor(element, 2)).map((way) => filled(compared(way, element, partFor(element, 2)), element)));
          return inner.map((one) => ({ ...part, of: emptyGroup([one]) }));
        });
        for (const part of parts) {
          const { where } = treeOf(emptyGroup([part]));
          const { valid, errors } = await call("POST", "/filters/validate", { [kind]: { where } });
          assert.ok(valid, `${JSON.stringify(where)}: ${JSON.stringify(errors)}`);
          count += 1;
        }
      }
      assert.ok(count > least, `${count} comparisons`);
    });
  }

  const VALUES: Record<string, unknown> = { guid: "05e9a617-0261-4cee-bb44-138d3ef5d965", integer: 1, dateTime: "2026-01-31" };
  /** With a value where the form would wait for one. */
  const filled = (part: any, { valueType }: Field) => ("values" in part && part.values.length > 0 && part.values.every((one: unknown) => one === "") ? { ...part, values: [VALUES[valueType] ?? "Text"] } : part);
});
