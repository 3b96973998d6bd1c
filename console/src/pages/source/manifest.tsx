/** A manifest dropped onto the page, judged without signing in. */
import { useId, useState } from "react";
import { answer, api, type Schema } from "../../api/client";
import { useAction } from "../../api/use";
import { Failure, Lozenge, Message, Table } from "../../ui/parts";
import { DelegatedPicture } from "./portal-picture";
import { Findings, Verdicts } from "./report";

type Query = { cloud?: Schema<"Cloud">; clientId?: string; tenantId?: string };

/** The text of a dropped file as JSON; a readable error otherwise. */
export function parseManifest(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch {
    // Said below.
  }
  throw new Error("This is not a manifest: it is not JSON. In the portal open Manifest, copy all of it, and drop or paste it here.");
}

export function ManifestCheck({ query }: { query: Query }) {
  const [report, setReport] = useState<Schema<"ManifestReport">>();
  const check = useAction(async (text: string) => {
    setReport(undefined);
    setReport(await answer(api.POST("/v1/manifest-checks", { params: { query }, body: parseManifest(text) })));
  });
  return (
    <section className="stack" aria-label="Manifest check">
      <DropZone onText={(text) => void check.run(text)} pending={check.pending} />
      <Failure error={check.error} title="The manifest was not checked" />
      {report && <ManifestReportView report={report} />}
    </section>
  );
}

export function DropZone({ onText, pending }: { onText: (text: string) => void; pending: boolean }) {
  const [over, setOver] = useState(false);
  const id = useId();
  const take = (data: DataTransfer) => {
    const file = data.files[0];
    if (file) void file.text().then(onText);
    else if (data.getData("text")) onText(data.getData("text"));
  };
  return (
    <div
      className={`drop ${over ? "over" : ""}`}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={(event) => {
        event.preventDefault();
        setOver(false);
        take(event.dataTransfer);
      }}
    >
      <label htmlFor={id} className="strong">
        Drop the app registration's manifest here
      </label>
      <p className="small subtle">It shows which permissions were added as Delegated, without signing in. The manifest contains no secret.</p>
      <input id={id} type="file" accept=".json,application/json" onChange={(event) => void event.target.files?.[0]?.text().then(onText)} />
      <textarea className="input code" rows={2} aria-label="Or paste the manifest" placeholder="Or paste it" value="" onChange={() => {}} onPaste={(event) => take(event.clipboardData)} />
      {pending && <span className="spinner" role="status" aria-label="Checking" />}
    </div>
  );
}

export function ManifestReportView({ report }: { report: Schema<"ManifestReport"> }) {
  const isDelegated = report.capabilities.some((one) => one.verdict === "addedAsDelegated");
  return (
    <div className="stack" role="status">
      {!isDelegated && report.findings.length === 0 && (
        <Message tone="success" title="The manifest asks for Application permissions">
          <p>Only the connection check can say whether admin consent was granted.</p>
        </Message>
      )}
      {isDelegated && <DelegatedPicture />}
      <Findings findings={report.findings} />
      <Verdicts verdicts={report.capabilities} />
      {report.permissions.length > 0 && (
        <Table label="Permissions of the manifest" head={["Permission", "Type", "Note"]}>
          {report.permissions.map((one) => (
            <tr key={one.id + one.kind}>
              <td>
                <code>{one.name ?? one.id}</code>
              </td>
              <td>
                <Lozenge tone={one.kind === "Application" ? "success" : "danger"}>{one.kind}</Lozenge>
              </td>
              <td>{one.note}</td>
            </tr>
          ))}
        </Table>
      )}
    </div>
  );
}
