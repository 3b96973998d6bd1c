// What an import brings of each object type: attributes, references, names, and where values of users go.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { accessible, assets, call, fits, healthy, importSource, open, signIn, simulator, visit } from "./support.js";
import { browser, page, visiting, visitor } from "./visiting.js";

visiting();

describe("what is imported of a type", () => {
  it("is chosen in a list of attributes, a list of references, and by the keys that a tenant made", async () => {
    const { id } = await call("POST", "/jobs", { name: "Chosen", connectionId: await healthy(), objects: { users: { references: ["manager"] }, groups: { enabled: false } } });
    const users = async () => (await call("GET", `/jobs/${id}`)).objects.users;
    const save = async () => {
      await page.getByRole("button", { name: "Save import" }).click();
      await page.getByRole("button", { name: "Start a dry run" }).waitFor();
    };
    await open(page, `/import/${id}?tab=settings`);
    await page.getByText("Default attributes").first().click();
    assert.equal(await page.getByLabel("Manager", { exact: true }).count(), 0);
    await page.getByLabel("Department", { exact: true }).uncheck();
    await save();
    assert.deepEqual((await users()).references, ["manager"]);
    await open(page, `/import/${id}?tab=settings`);
    await page.getByText("1 chosen reference", { exact: true }).click();
    assert.ok(await page.getByLabel("Manager", { exact: true }).isChecked());
    assert.equal(await page.getByLabel("Groups", { exact: true }).count(), 1, "only the type: memberships are chosen below");
    await page.getByLabel("Licenses", { exact: true }).check();
    await page.getByLabel("Manager", { exact: true }).uncheck();
    await page.getByText(/^\d+ chosen attributes$/).click();
    const another = page.getByLabel("Another attribute, by its key").first();
    await another.fill("extension_wrong");
    await another.press("Enter");
    await accessible(page, "attributes and references");
    visitor.expected = [/status of 422/];
    await page.getByRole("button", { name: "Save import" }).click();
    await page.locator(".field .fault", { hasText: "extension_wrong" }).waitFor();
    await page.getByLabel("extension_wrong", { exact: true }).click();
    const keys = ["extension_0123456789abcdef0123456789abcdef_costCenter", "customSecurityAttributes_Engineering_Project"];
    for (const key of keys) {
      await another.fill(key);
      await page.getByRole("button", { name: "Add the attribute" }).first().click();
      await page.getByLabel(key, { exact: true }).waitFor();
    }
    await save();
    const { attributes, references } = await users();
    assert.deepEqual(references, ["licenses"]);
    assert.deepEqual(attributes.slice(-2), keys);
    assert.ok(!attributes.includes("department") && !attributes.includes("manager"));
    const narrow = await visit(browser, { width: 360 });
    await signIn(narrow.page);
    await open(narrow.page, `/import/${id}?tab=settings`);
    await narrow.page.getByText(/^\d+ chosen attributes$/).click();
    assert.ok(await narrow.page.getByLabel(keys[0] ?? "", { exact: true }).isChecked());
    await narrow.page.getByText("1 chosen reference", { exact: true }).click();
    await fits(narrow.page, "attributes of a tenant and references");
    await accessible(narrow.page, "attributes of a tenant and references");
    assert.deepEqual(narrow.faults, []);
    await narrow.context.close();
  });
});

describe("values of users in an object type that Assets has", () => {
  it("are chosen like the other types, and attributes that are built get other names", async () => {
    const made = await importSource("Units");
    await simulator("POST", `${assets}/_sim/types`, { source: made.id, name: "Unit", attributes: [{ name: "Name", type: "text" }, { name: "Value", type: "text" }] });
    const destination = await call("POST", "/destinations", { kind: "assetsImport", name: "Units", token: made.token, missingObjects: "ignore" });
    const { id } = await call("POST", "/jobs", { name: "Units", connectionId: await healthy(), destinationId: destination.id, objects: { users: { names: { mail: "Post" } }, groups: { enabled: false }, licenses: { enabled: false } } });
    const settings = () => open(page, `/import/${id}?tab=settings`);
    const save = async () => {
      await page.getByRole("button", { name: "Save import" }).click();
      await page.getByRole("button", { name: "Start a dry run" }).waitFor();
      return (await call("GET", `/jobs/${id}`)).objects;
    };
    await settings();
    await page.getByText("In Assets: built by the import", { exact: true }).click();
    assert.equal(await page.getByLabel("Mail is called").inputValue(), "Post");
    await page.getByRole("button", { name: "Do not rename Mail" }).click();
    await page.getByLabel("Call an attribute otherwise").selectOption({ label: "Department" });
    await page.getByLabel("Department is called").fill("Key");
    visitor.expected = [/status of 422/];
    await page.getByRole("button", { name: "Save import" }).click();
    await page.locator(".field .fault", { hasText: "gives to every object" }).waitFor();
    await page.getByLabel("Department is called").fill("Team");
    await page.getByText("Departments and other values as objects").click();
    await page.getByLabel("Departments", { exact: true }).check();
    await page.getByText("In Assets: built by the import", { exact: true }).last().click();
    await page.getByLabel("Object type in Assets").last().selectOption({ label: "Unit" });
    const mapping = page.getByRole("group", { name: "What is written where" });
    for (const [ours, theirs] of [["Value ID", "Value"], ["Name", "Name"]] as const) {
      if ((await mapping.getByRole("combobox", { name: ours, exact: true }).count()) === 0) await page.getByLabel("Write another attribute").selectOption({ label: ours });
      await mapping.getByRole("combobox", { name: ours, exact: true }).selectOption({ value: theirs });
    }
    await page.getByLabel("Objects are recognised by").selectOption({ label: "Value ID" });
    await accessible(page, "values in an existing type");
    await fits(page, "values in an existing type");
    const { users, departments } = await save();
    assert.deepEqual(users.names, { department: "Team" });
    assert.deepEqual([departments.enabled, departments.existing], [true, { objectType: "Unit", identity: "valueId", attributes: { name: "Name", valueId: "Value" } }]);
    await settings();
    await page.getByText("In Assets: «Unit»").waitFor();
    await page.getByLabel("Name", { exact: true }).first().fill("Units again");
    const again = await save();
    assert.deepEqual([again.users, again.departments], [users, departments]);
    await open(page, `/destination/${destination.id}`);
    await page.getByRole("link", { name: "Open the import, which builds them" }).click();
    await page.getByRole("heading", { level: 1, name: "Units again" }).waitFor();
  });
});
