/** The form of a connection, new or existing. */
import { type ReactNode, useState } from "react";
import { answer, api, idempotencyKey, type Schema } from "../../api/client";
import { useAction } from "../../api/use";
import { go } from "../../route";
import { Form, type RadioOption, Radios, Select, TextArea, TextField } from "../../ui/form";
import { Button } from "../../ui/parts";
import { AskForApplication } from "./setup";

type Connection = Schema<"ConnectionResponse">;
type Cloud = Schema<"Cloud">;
type Kind = Schema<"CredentialKind">;

export const CLOUDS: [Cloud, string][] = [
  ["global", "Global (portal.azure.com)"],
  ["usGov", "US Government (portal.azure.us)"],
  ["usGovDod", "US Government, DoD"],
  ["china", "China, operated by 21Vianet (portal.azure.cn)"],
];

export type CredentialDraft = { kind: Kind; secret: string; expiresOn: string; certificate: string; privateKey: string };
type Draft = CredentialDraft & { name: string; tenantId: string; clientId: string; cloud: Cloud };

export const NO_CREDENTIAL: CredentialDraft = { kind: "clientSecret", secret: "", expiresOn: "", certificate: "", privateKey: "" };

const draftOf = (connection?: Connection): Draft => ({
  name: connection?.name ?? "",
  tenantId: connection?.tenantId ?? "",
  clientId: connection?.clientId ?? "",
  cloud: connection?.cloud ?? "global",
  ...NO_CREDENTIAL,
  kind: connection?.credential.kind ?? "clientSecret",
});

export const endOfDay = (day: string) => (day === "" ? null : `${day}T23:59:59Z`);

export function credentialOf(draft: CredentialDraft): Schema<"CredentialBody"> {
  switch (draft.kind) {
    case "clientSecret":
      return { kind: "clientSecret", secret: draft.secret, expiresAt: endOfDay(draft.expiresOn) };
    case "certificate":
      return { kind: "certificate", certificate: draft.certificate, privateKey: draft.privateKey };
    case "federated":
      return { kind: "federated" };
    case "awaited":
      return { kind: "awaited" };
  }
}

/** Whether the credential of an existing connection stays as it is. */
const keepsCredential = (draft: Draft, connection: Connection) =>
  draft.kind === connection.credential.kind && draft.secret === "" && draft.certificate === "" && draft.privateKey === "";

type Props = { connection?: Connection; onSaved?: () => void; aside?: (tenantId: string, clientId: string, cloud: Cloud) => ReactNode };

export function ConnectionForm({ connection, onSaved, aside }: Props) {
  const [draft, setDraft] = useState(() => draftOf(connection));
  const set = <K extends keyof Draft>(name: K) => (value: Draft[K]) => setDraft((draft) => ({ ...draft, [name]: value }));
  const isAwaited = draft.kind === "awaited";
  const save = useAction(async () => {
    const { name, tenantId, clientId, cloud } = draft;
    const ids = { name: name.trim(), tenantId: tenantId.trim(), clientId: clientId.trim(), cloud };
    if (!connection) {
      const params = { query: { check: !isAwaited }, header: { "Idempotency-Key": idempotencyKey() } };
      const created = await answer(api.POST("/v1/connections", { params, body: { ...ids, credential: credentialOf(draft) } }));
      go(`/source/${created.id}${isAwaited ? "?tab=setup" : ""}`);
      return;
    }
    const credential = keepsCredential(draft, connection) ? undefined : credentialOf(draft);
    const params = { path: { id: connection.id }, header: { "If-Match": `"${connection.version}"` } };
    await answer(api.PATCH("/v1/connections/{id}", { params, body: { ...ids, credential } }));
    onSaved?.();
  });
  const isStored = connection !== undefined && draft.kind === connection.credential.kind;
  const form = (
    <Form label="Connection" onSubmit={() => void save.run()} error={save.error}>
      <TextField label="Name" pointer="/name" value={draft.name} onChange={set("name")} placeholder="Contoso" />
      <TextField label="Directory (tenant) ID" pointer="/tenantId" code value={draft.tenantId} onChange={set("tenantId")} placeholder="xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx" help="On the Overview of the app registration. A domain such as contoso.onmicrosoft.com works too." />
      <TextField label="Application (client) ID" pointer="/clientId" code value={draft.clientId} onChange={set("clientId")} placeholder="xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx" help="On the same page. It is not the Object ID." />
      <Select label="Cloud" pointer="/cloud" value={draft.cloud} onChange={set("cloud")} options={CLOUDS} />
      <CredentialFields draft={draft} change={(part) => setDraft((draft) => ({ ...draft, ...part }))} stored={isStored} kinds={["clientSecret", "certificate", "awaited", "federated"]} />
      {isAwaited && !connection && draft.clientId.trim() === "" && <AskForApplication tenantId={draft.tenantId.trim()} cloud={draft.cloud} />}
      <div className="row">
        <Button type="submit" kind="primary" pending={save.pending}>
          {isAwaited && !connection ? "Save, then create a link" : "Save & check connection"}
        </Button>
        {save.pending && <span className="subtle">Asking Entra and Microsoft Graph…</span>}
      </div>
    </Form>
  );
  if (!aside) return form;
  return (
    <div className="columns">
      <div className="card">{form}</div>
      {aside(draft.tenantId.trim(), draft.clientId.trim(), draft.cloud)}
    </div>
  );
}

type CredentialFieldsProps = { draft: CredentialDraft; change: (part: Partial<CredentialDraft>) => void; stored: boolean; kinds: Kind[] };

const KINDS: RadioOption<Kind>[] = [
  { value: "clientSecret", label: "Client secret" },
  { value: "certificate", label: "Certificate", help: "Nothing that is secret travels through the portal, and it can be valid for longer." },
  { value: "awaited", label: "Somebody else enters it", help: "You send a link to your Entra administrator, who enters the secret there. You never see it. The Application (client) ID is needed first." },
  { value: "federated", label: "Workload identity of this service", help: "No secret at all. The operator of the service has to allow it." },
];

export function CredentialFields({ draft, change, stored, kinds }: CredentialFieldsProps) {
  const keep = stored ? " Leave it empty to keep the stored one." : "";
  return (
    <>
      <Radios
        label="Credential"
        value={draft.kind}
        onChange={(kind) => change({ kind })}
        pointer="/credential/kind"
        options={KINDS.filter((kind) => kinds.includes(kind.value))}
      />
      {draft.kind === "clientSecret" && (
        <div className="grid2">
          <TextField label="Client secret" type="password" pointer="/credential/secret" value={draft.secret} onChange={(secret) => change({ secret })} help={`The column Value, not the Secret ID.${keep}`} />
          <TextField label="Ends on" type="date" pointer="/credential/expiresAt" value={draft.expiresOn} onChange={(expiresOn) => change({ expiresOn })} help="The column Expires. The console warns a month before." />
        </div>
      )}
      {draft.kind === "certificate" && (
        <>
          <PemField label="Certificate (PEM)" pointer="/credential/certificate" value={draft.certificate} onChange={(certificate) => change({ certificate })} begin="CERTIFICATE" help={`Upload the same file in Certificates & secrets → Certificates.${keep}`} />
          <PemField label="Private key (PEM)" pointer="/credential/privateKey" value={draft.privateKey} onChange={(privateKey) => change({ privateKey })} begin="PRIVATE KEY" help={`Without a passphrase. It is encrypted before it is stored, and never shown again.${keep}`} />
        </>
      )}
    </>
  );
}

type PemProps = { label: string; pointer: string; value: string; onChange: (value: string) => void; begin: string; help: string };

export function PemField({ begin, ...field }: PemProps) {
  return (
    <div className="stack tight">
      <TextArea {...field} code rows={5} placeholder={`-----BEGIN ${begin}-----`} />
      <label className="small">
        <span className="hidden">{field.label} from a file</span>
        <input
          type="file"
          accept=".pem,.crt,.cer,.key,.txt"
          onChange={(event) => void event.target.files?.[0]?.text().then(field.onChange)}
        />
      </label>
    </div>
  );
}
