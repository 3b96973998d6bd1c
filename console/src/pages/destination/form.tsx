/** The form of a destination, new or existing. */
import { useState } from "react";
import { answer, api, idempotencyKey, type Schema } from "../../api/client";
import { useAction } from "../../api/use";
import { go } from "../../route";
import { Form, Radios, Select, TextField } from "../../ui/form";
import { Button, Fold, OutLink } from "../../ui/parts";

type Destination = Schema<"DestinationResponse">;
type Missing = Schema<"MissingObjects">;

export const MISSING: Record<Missing, string> = { unknown: "Not known", ignore: "Left alone", update: "Marked by Assets", remove: "Deleted by Assets" };

type Draft = {
  kind: Schema<"DestinationKind">;
  name: string;
  token: string;
  workspaceId: string;
  importId: string;
  missingObjects: Missing;
  emptyValues: Schema<"EmptyValues">;
  referenceTemplate: Schema<"ReferenceTemplate">;
  siteUrl: string;
  email: string;
  apiToken: string;
};

const draftOf = (one?: Destination): Draft => ({
  kind: one?.kind ?? "assetsImport",
  name: one?.name ?? "",
  token: "",
  workspaceId: one?.workspaceId ?? "",
  importId: one?.importId ?? "",
  missingObjects: one?.missingObjects ?? "unknown",
  emptyValues: one?.emptyValues ?? "unknown",
  referenceTemplate: one?.referenceTemplate ?? "arrayPlaceholder",
  siteUrl: one?.api?.siteUrl ?? "",
  email: one?.api?.email ?? "",
  apiToken: "",
});

function settingsOf(draft: Draft) {
  const { missingObjects, emptyValues, referenceTemplate } = draft;
  return { name: draft.name.trim(), missingObjects, emptyValues, referenceTemplate };
}

/** The object API's settings: none without a site; what is already stored need not be entered again. */
function apiOf(draft: Draft) {
  if (draft.siteUrl.trim() === "") return null;
  return { siteUrl: draft.siteUrl.trim(), email: draft.email.trim(), ...(draft.apiToken && { apiToken: draft.apiToken }) };
}

async function create(draft: Draft): Promise<string> {
  const params = { header: { "Idempotency-Key": idempotencyKey() } };
  const { kind, token, workspaceId, importId } = draft;
  const where = kind === "forge" ? { kind, workspaceId, importId } : { kind, token: token.trim() };
  const body = { ...settingsOf(draft), api: apiOf(draft), ...where } as Schema<"CreateDestination">;
  return (await answer(api.POST("/v1/destinations", { params, body }))).id;
}

async function change(draft: Draft, one: Destination): Promise<void> {
  const params = { path: { id: one.id }, header: { "If-Match": `"${one.version}"` } };
  const where = one.kind === "forge" ? { workspaceId: draft.workspaceId, importId: draft.importId } : draft.token ? { token: draft.token.trim() } : {};
  await answer(api.PATCH("/v1/destinations/{id}", { params, body: { ...settingsOf(draft), api: apiOf(draft), ...where } }));
}

export function DestinationForm({ destination, onSaved }: { destination?: Destination; onSaved?: () => void }) {
  const [draft, setDraft] = useState(() => draftOf(destination));
  const set = <K extends keyof Draft>(name: K) => (value: Draft[K]) => setDraft((draft) => ({ ...draft, [name]: value }));
  const save = useAction(async () => {
    if (!destination) return go(`/destination/${await create(draft)}`);
    await change(draft, destination);
    onSaved?.();
  });
  const keep = destination ? " Leave it empty to keep the stored one." : "";
  return (
    <Form label="Destination" onSubmit={() => void save.run()} error={save.error}>
      <TextField label="Name" pointer="/name" value={draft.name} onChange={set("name")} placeholder="Assets: People" />
      {draft.kind === "assetsImport" ? (
        <TextField label="Token of the import source" type="password" pointer="/token" value={draft.token} onChange={set("token")} help={`It begins with ATCTT. It is encrypted before it is stored, and never shown again.${keep}`} />
      ) : (
        <div className="grid2">
          <TextField label="Workspace id" pointer="/workspaceId" code value={draft.workspaceId} onChange={set("workspaceId")} />
          <TextField label="Import id" pointer="/importId" code value={draft.importId} onChange={set("importId")} />
        </div>
      )}
      <Radios
        label="What does Assets do with objects that an import leaves out?"
        pointer="/missingObjects"
        help="The setting «Missing objects» of the import source. Nothing here changes it: say what it is. Assets shows it after the first import."
        value={draft.missingObjects}
        onChange={set("missingObjects")}
        options={[
          { value: "ignore", label: "It leaves them alone (Ignore)", help: "Recommended, once Assets is set so. Imports of changes only and tests are possible. The import decides what happens to objects that are gone." },
          { value: "update", label: "It marks them (Update)", help: "Every import sends everything in scope." },
          { value: "remove", label: "It deletes them (Remove)", help: "Every import sends everything in scope. Objects made by hand in these types would be deleted too." },
          { value: "unknown", label: "I do not know yet", help: "Nothing is assumed: every import sends everything, also what is gone, so that nothing is deleted by surprise." },
        ]}
      />
      <details>
        <summary>More settings</summary>
        <div className="stack">
          <Select
            label="Empty values"
            pointer="/emptyValues"
            value={draft.emptyValues}
            onChange={set("emptyValues")}
            options={[
              ["unknown", "I do not know"],
              ["ignore", "Assets keeps the old value (Ignore)"],
              ["remove", "Assets clears the value (Remove)"],
            ]}
            help="The setting «Empty values» of the mapping: what happens when somebody no longer has a manager, for example."
          />
          <Select
            label="Lists of references"
            pointer="/referenceTemplate"
            value={draft.referenceTemplate}
            onChange={set("referenceTemplate")}
            options={[
              ["arrayPlaceholder", "One placeholder for each value (usual)"],
              ["joinedString", "One text with all values"],
            ]}
            help="Change it only if a run says references_not_resolved."
          />
        </div>
      </details>
      <Fold summary="Object API (optional)" shown={draft.siteUrl !== ""}>
        <ObjectApiHelp />
        <TextField label="Site" type="url" pointer="/api/siteUrl" value={draft.siteUrl} onChange={set("siteUrl")} placeholder="https://example.atlassian.net" />
        <div className="grid2">
          <TextField label="Account e-mail" type="email" pointer="/api/email" value={draft.email} onChange={set("email")} help="Of the person who made the token." />
          <TextField label="API token" type="password" pointer="/api/apiToken" value={draft.apiToken} onChange={set("apiToken")} help={`Without scopes.${destination?.api ? keep : ""}`} />
        </div>
      </Fold>
      <div>
        <Button type="submit" kind="primary" pending={save.pending}>
          Save &amp; check destination
        </Button>
      </div>
    </Form>
  );
}

/** What an import alone cannot do, and what it needs for it. */
function ObjectApiHelp() {
  return (
    <div className="small stack tight">
      <p>An import can only add objects and change values. These need the object API too:</p>
      <ul className="bullets">
        <li>removing objects from Assets, and clearing values that Assets keeps</li>
        <li>recognising objects in Assets by another value than their id</li>
        <li>the Jira accounts of users</li>
        <li>a dry run that compares with objects in Assets that others made, and that says which of your own objects were not found</li>
      </ul>
      <p>
        It works with the API token of a person. <OutLink to="https://id.atlassian.com/manage-profile/security/api-tokens">Create an API token</OutLink> as that person, without scopes. The person needs:
      </p>
      <ul className="bullets">
        <li>a licence of Jira Service Management and the role Object Schema User in the object schema</li>
        <li>for Jira accounts also the global permission «Browse users and groups» of Jira, and the role Object Schema Manager unless you add the attribute yourself</li>
      </ul>
    </div>
  );
}
