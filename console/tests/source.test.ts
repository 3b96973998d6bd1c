// Sources: what is wrong with a tenant, the link for its administrator, and an import whose source reaches another tenant.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { accessible, call, connect, fits, graph, importSource, open, run, simulator, tenant, visit } from "./support.js";
import { browser, count, ended, page, visiting, visitor } from "./visiting.js";

describe("a tenant with a mistake", () => {
  const CASES: [tenant: string, shown: RegExp][] = [
    ["delegated-diagnosable", /Delegated instead of Application/],
    ["pending-diagnosable", /No admin consent yet/],
    ["not-added", /Missing|Not added/],
    ["expired-secret", /expired/],
    ["wrong-secret", /secret/],
    ["unknown-tenant", /tenant/],
    ["no-licences", /Licences cannot be read|Missing/],
    ["disabled", /disabled/],
  ];
  visiting();

  for (const [name, shown] of CASES) {
    it(`is explained: ${name}`, async () => {
      const id = await connect(name);
      await open(page, `/source/${id}`);
      await page.locator(".message .title", { hasText: /Does not work|Works in part/ }).waitFor();
      await page.locator("main").getByText(shown).first().waitFor();
      const { lastCheck } = await call("GET", `/connections/${id}`);
      assert.equal(await page.getByRole("link", { name: "Next: filter" }).count(), lastCheck.overall === "failed" ? 0 : 1);
      assert.ok((await page.getByRole("link", { name: /Open/ }).count()) + (await page.getByText(/Azure CLI/).count()) > 0, "a remedy is offered");
      if (name === "delegated-diagnosable") {
        await page.getByText("Click this one").waitFor();
        await accessible(page, "delegated");
      }
    });
  }

  it("is explained from a manifest that is dropped onto the page", async () => {
    await open(page, "/source/new");
    const manifest = { id: "5c0a0000-0b1e-4000-8000-000000000001", appId: "5c0a0000-c11e-4000-8000-000000000001", displayName: "Importer", requiredResourceAccess: [{ resourceAppId: "00000003-0000-0000-c000-000000000000", resourceAccess: [{ id: "a154be20-db9c-4678-8ab7-66f6cc099a59", type: "Scope" }] }] };
    await page.getByLabel("Drop the app registration's manifest here").setInputFiles({ name: "manifest.json", mimeType: "application/json", buffer: Buffer.from(JSON.stringify(manifest)) });
    await page.getByText("Click this one").waitFor();
    await page.getByRole("group", { name: "Permissions of the manifest" }).getByText("Delegated", { exact: true }).waitFor();
  });
});

describe("an administrator of Entra", () => {
  visiting();

  it("gets a link without a key, mends the delegated permissions, and enters the secret that nobody else sees", async () => {
    const { tenantId, clientId, clientSecret, adminToken } = await tenant("delegated-diagnosable");
    await open(page, "/source/new");
    await page.getByLabel("Name", { exact: true }).fill("Handed over");
    await page.getByLabel("Directory (tenant) ID").fill(tenantId);
    await page.getByLabel("Somebody else enters it").check();
    await page.getByText("First ask for the Application (client) ID").waitFor();
    await page.getByText("The steps to send").click();
    const steps = (await page.getByLabel("Steps for the administrator of Entra", { exact: true }).textContent()) ?? "";
    assert.match(steps, /New registration[^]*Copy the ids/);
    assert.ok(!/https:\S*APPLICATION-CLIENT-ID/.test(steps), "an address without an application leads nowhere");
    await accessible(page, "steps to send");
    await page.setViewportSize({ width: 360, height: 800 });
    await fits(page, "steps to send");
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.getByLabel("Application (client) ID").fill(clientId);
    assert.equal(await page.getByText("First ask for the Application (client) ID").count(), 0);
    await page.getByRole("button", { name: "Save, then create a link" }).click();
    await page.getByRole("button", { name: "Create a link" }).click();
    const link = (await page.getByLabel("Link for the administrator of Entra", { exact: true }).textContent()) ?? "";
    await accessible(page, "handovers");

    const guest = await visit(browser);
    await guest.page.goto(link);
    await guest.page.getByRole("heading", { name: "Set up «Handed over» in Entra" }).waitFor();
    await guest.page.getByText("Register the application").waitFor();
    await guest.page.getByLabel("Client secret", { exact: true }).last().fill(clientSecret);
    await guest.page.getByRole("button", { name: "Save & check connection" }).click();
    await guest.page.getByText("Click this one").waitFor();
    await accessible(guest.page, "handover");
    await grantApplicationPermissions(clientId, adminToken);
    await guest.page.getByRole("button", { name: "Check again" }).click();
    await guest.page.getByText("The import can read everything that it needs").waitFor();
    assert.deepEqual(guest.faults, []);

    await page.reload();
    await page.getByText("Credential entered").waitFor();
    await page.getByRole("button", { name: "Revoke" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
    await page.getByRole("cell", { name: "Revoked" }).waitFor();
    guest.expected = [/status of 401/];
    await guest.page.reload();
    await guest.page.getByRole("heading", { name: "This link does not work" }).waitFor();
    assert.deepEqual(guest.faults, []);
  });
});

/** What the commands of the setup do: the permissions as Application permissions, with consent. */
async function grantApplicationPermissions(clientId: string, adminToken: string): Promise<void> {
  const principal = async (appId: string) => (await simulator("GET", `${graph}/v1.0/servicePrincipals(appId='${appId}')`, undefined, adminToken)).id as string;
  const [principalId, resourceId] = [await principal(clientId), await principal("00000003-0000-0000-c000-000000000000")];
  for (const appRoleId of ["df021288-bdef-4463-88db-98f22de89214", "98830695-27a2-44f7-8c18-0c3ebc9698f6", "e2f98668-2877-4f38-a2f4-8202e0717aa1"]) {
    await simulator("POST", `${graph}/v1.0/servicePrincipals/${principalId}/appRoleAssignments`, { principalId, resourceId, appRoleId }, adminToken);
  }
}

describe("an import whose source reaches another tenant", () => {
  visiting();

  it("is offered to start again with it, before a run and after one", async () => {
    const [one, other] = await Promise.all([tenant("healthy"), tenant("directory-read-all")]);
    const connectionId = await connect("healthy");
    const { token } = await importSource("Moved");
    const destination = await call("POST", "/destinations", { kind: "assetsImport", name: "Moved", token, missingObjects: "ignore" });
    const job = await call("POST", "/jobs", { name: "Moved", connectionId, destinationId: destination.id, objects: { groups: { enabled: false }, licenses: { enabled: false } } });
    assert.equal((await run(job.id, "full")).state, "succeeded");
    const moveTo = (tenantId: string, { clientId, clientSecret } = other) => call("PATCH", `/connections/${connectionId}`, { tenantId, clientId, credential: { kind: "clientSecret", secret: clientSecret } });
    await moveTo(other.tenantId);
    visitor.expected = [/status of 409/];
    await open(page, `/import/${job.id}`);
    await page.getByRole("button", { name: "Start the import" }).click();
    await page.getByRole("button", { name: "Start again with this tenant" }).waitFor();
    await accessible(page, "another tenant");
    // A tenant that is named by a domain is known only when the run signs in.
    await moveTo(other.domain);
    await open(page, `/import/${job.id}?tab=history`);
    await page.getByRole("tab", { name: "Run" }).click();
    await page.getByRole("button", { name: "Start the import" }).click();
    await ended("Full import", "Failed");
    await page.getByRole("button", { name: "Start again with this tenant" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Start the import" }).click();
    await ended("Full import", "Succeeded");
    assert.ok((await count("Users", "Read")) > 0);
    assert.notEqual(one.tenantId, other.tenantId);
  });
});
