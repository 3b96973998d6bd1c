/** The report of a connection check: a verdict for each capability, and what fixes it. */
import { transport } from "#transport";
import { answer, api, type Schema } from "../../api/client";
import { useSession } from "../../api/session";
import { useQuery } from "../../api/use";
import { Card, Lozenge, Message, Table, type Tone } from "../../ui/parts";
import { Moment } from "../../ui/time";
import { wordsOf } from "../../ui/words";
import { PlaceLink, type Where } from "../places";
import { DelegatedPicture } from "./portal-picture";
import { Remedies } from "./remedies";

type Check = Schema<"CheckResponse">;
type Verdict = Schema<"Verdict">;

export const overallText: Record<Schema<"Overall">, { text: string; tone: "success" | "warning" | "danger" }> = {
  ok: { text: "Works", tone: "success" },
  degraded: { text: "Works in part", tone: "warning" },
  failed: { text: "Does not work", tone: "danger" },
};

const VERDICTS: Record<Verdict, { text: string; tone: Tone }> = {
  granted: { text: "Works", tone: "success" },
  limited: { text: "Limited", tone: "warning" },
  missing: { text: "Missing", tone: "danger" },
  addedAsDelegated: { text: "Delegated instead of Application", tone: "danger" },
  consentPending: { text: "No admin consent yet", tone: "danger" },
  staleToken: { text: "Not effective yet", tone: "warning" },
  notAdded: { text: "Not added", tone: "danger" },
  unknown: { text: "Unknown", tone: "neutral" },
};

export const loadCapabilities = (signal: AbortSignal) => answer(api.GET("/v1/capabilities", { signal }));

/** The names of capabilities, as the service gives them. */
export function useCapabilities(): Schema<"CapabilityDescription">[] {
  const { key } = useSession();
  // The visitor of a handover's link has no key.
  return useQuery(key === null && transport.signsIn ? null : "capabilities", loadCapabilities).data?.items ?? [];
}


export function CheckReport({ check }: { check: Check }) {
  const overall = overallText[check.overall];
  const isDelegated = check.capabilities.some((one) => one.verdict === "addedAsDelegated") || check.findings.some((one) => one.code === "no_application_permission");
  return (
    <div className="stack">
      <Message tone={overall.tone} title={overall.text} live>
        <p>{check.summary}</p>
        <p className="small subtle">
          Checked <Moment at={check.checkedAt} />
          {check.identity.appDisplayName && <> · application «{check.identity.appDisplayName}»</>}
          {check.partial && " · some answers did not come in time"}
        </p>
      </Message>
      {isDelegated && <DelegatedPicture />}
      <Findings findings={check.findings} />
      {check.remedies.length > 0 && check.findings.every((finding) => finding.remedies.length === 0) && (
        <Card title="How to fix it">
          <Remedies remedies={check.remedies} />
        </Card>
      )}
      {check.capabilities.length > 0 && (
        <Card title="What can be read">
          <Verdicts verdicts={check.capabilities} />
        </Card>
      )}
    </div>
  );
}

const SEVERITIES = { error: "danger", warning: "warning", info: "information" } as const;

export function Findings({ findings, where = {} }: { findings: Schema<"Finding">[]; where?: Where }) {
  return findings.map((finding) => (
    <Message key={finding.code + finding.message} tone={SEVERITIES[finding.severity]}>
      <p>
        {finding.message} <code className="subtle">{finding.code}</code>
      </p>
      {finding.microsoftMessage && (
        <details>
          <summary>What Microsoft answered</summary>
          <p className="small">{finding.microsoftMessage}</p>
          {finding.traceId && <p className="small subtle">Trace {finding.traceId}</p>}
        </details>
      )}
      <Remedies remedies={finding.remedies} />
      <PlaceLink code={finding.code} where={where} />
    </Message>
  ));
}

export function Verdicts({ verdicts }: { verdicts: Schema<"CapabilityVerdict">[] }) {
  const capabilities = useCapabilities();
  const nameOf = (id: string) => capabilities.find((one) => one.capability === id)?.title ?? wordsOf(id);
  return (
    <Table label="What can be read" head={["Data", "Verdict", "Permission", "Explanation"]}>
      {verdicts.map((one) => (
        <tr key={one.capability}>
          <td className="strong">{nameOf(one.capability)}</td>
          <td>
            <Lozenge tone={VERDICTS[one.verdict].tone}>{VERDICTS[one.verdict].text}</Lozenge>
          </td>
          <td>
            <code>{one.permission}</code>
          </td>
          <td>
            <p>{one.message}</p>
            {one.evidence.length > 0 && (
              <details className="small">
                <summary>Evidence</summary>
                <ul className="stack tight break">
                  {one.evidence.map((evidence) => (
                    <li key={evidence.kind + evidence.detail}>
                      {evidence.detail}
                      {evidence.requestId && <span className="subtle"> (request {evidence.requestId})</span>}
                    </li>
                  ))}
                </ul>
              </details>
            )}
            {one.remedies.length > 0 && (
              <details className="small">
                <summary>How to fix it</summary>
                <Remedies remedies={one.remedies} />
              </details>
            )}
          </td>
        </tr>
      ))}
    </Table>
  );
}
