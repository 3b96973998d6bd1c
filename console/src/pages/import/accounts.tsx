/** What the runs found of the Jira accounts of users, user by user. */
import { useState } from "react";
import { answer, api, type Schema } from "../../api/client";
import { href } from "../../route";
import { Select } from "../../ui/form";
import { usePages } from "../../ui/pages";
import { Failure, Loading, Lozenge, More, Table, type Tone } from "../../ui/parts";
import { Moment } from "../../ui/time";
import { objectPath } from "../objects/path";

type Account = Schema<"JiraUserResponse">;
type Outcome = Schema<"JiraUserOutcome">;

const OUTCOMES: Record<Outcome, { text: string; tone: Tone }> = {
  set: { text: "Written", tone: "success" },
  notFound: { text: "No account found", tone: "warning" },
  ambiguous: { text: "Several accounts", tone: "warning" },
  inactive: { text: "Account deactivated", tone: "warning" },
  failed: { text: "Not written", tone: "danger" },
  waiting: { text: "Not looked for yet", tone: "neutral" },
};

const REASONS: Record<Schema<"JiraUserReason">, string> = {
  noAddress: "The user has neither a mail address nor a sign-in name.",
  noAccount: "No account has the address, or none that the person of the destination’s API token may see.",
  onlyByName: "The only account that was found hides its address and has the user’s address in its name.",
  notAPerson: "What has the address is an app, or a customer of the portal.",
  severalAccounts: "Several active accounts of people have the address.",
  deactivated: "The account is deactivated.",
  objectNotFound: "Assets has no object of the user.",
  severalObjects: "Assets has several objects with the user’s identity.",
  writeRefused: "Assets did not take the account. The warning of the run says why.",
};

export function JiraAccounts({ jobId }: { jobId: string }) {
  const [outcome, setOutcome] = useState<Outcome | "">("");
  const accounts = usePages(`accounts ${jobId} ${outcome}`, (cursor, signal) =>
    answer(api.GET("/v1/jobs/{id}/jira-users", { params: { path: { id: jobId }, query: { outcome: outcome || undefined, limit: 50, cursor } }, signal })),
  );
  return (
    <div className="stack">
      <p className="subtle">Each delivery looks for the accounts of users that are new or have another address. Some of the others are looked for again by a full import.</p>
      <div className="grid2">
        <Select label="Result" value={outcome} onChange={setOutcome} options={[["", "All results"], ...(Object.keys(OUTCOMES) as Outcome[]).map((one): [Outcome, string] => [one, OUTCOMES[one].text])]} />
      </div>
      <Failure error={accounts.error} />
      {!accounts.items && !accounts.error && <Loading />}
      {accounts.items?.length === 0 && <p className="subtle">{outcome === "" ? "No run has looked for accounts yet." : "Nobody."}</p>}
      {accounts.items && accounts.items.length > 0 && (
        <Table label="Jira accounts" head={["User", "Result", "Why", "Looked for"]}>
          {accounts.items.map((one) => (
            <AccountRow key={one.objectId} jobId={jobId} account={one} />
          ))}
        </Table>
      )}
      <More pages={accounts} />
    </div>
  );
}

function AccountRow({ jobId, account }: { jobId: string; account: Account }) {
  const address = account.mail ?? account.userPrincipalName;
  return (
    <tr className="linked">
      <td>
        <a href={href(objectPath(jobId, "users", account.objectId))}>{account.label ?? address ?? account.objectId}</a>
        {address && <div className="small subtle break">{address}</div>}
      </td>
      <td>
        <Lozenge tone={OUTCOMES[account.outcome].tone}>{OUTCOMES[account.outcome].text}</Lozenge>
      </td>
      <td>{account.reason && REASONS[account.reason]}</td>
      <td>
        <Moment at={account.lookedAt} />
      </td>
    </tr>
  );
}
