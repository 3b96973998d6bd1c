/** The removal brake: what is missing, and the decision. */
import { answer, api, type Schema } from "../../api/client";
import { useAction, useQuery } from "../../api/use";
import { Card, Confirm, Failure, Loading, Message } from "../../ui/parts";
import { Moment, number } from "../../ui/time";

type Run = Schema<"RunResponse">;
const SHOWN = 100;

export function Brake({ run, onDone }: { run: Run; onDone: () => void }) {
  const warning = run.warnings.find((one) => one.code === "removal_brake");
  const decide = (path: "/v1/runs/{id}/approve" | "/v1/runs/{id}/cancel") => async () => {
    await answer(api.POST(path, { params: { path: { id: run.id } } }));
    onDone();
  };
  const approve = useAction(decide("/v1/runs/{id}/approve"));
  const refuse = useAction(decide("/v1/runs/{id}/cancel"));
  return (
    <div className="stack">
      <Message tone="warning" live title="The run stopped before it removes anything">
        <p>{warning?.detail ?? "More objects would go than the brake allows."}</p>
        {run.approvalExpiresAt && (
          <p>
            Decide before <Moment at={run.approvalExpiresAt} />. After that the run ends without removing anything.
          </p>
        )}
        <div className="row">
          <Confirm kind="danger" button="Approve the removals" title="Approve the removals?" confirm="Approve" onConfirm={approve.run} pending={approve.pending} error={approve.error}>
            <p>The run goes on and delivers exactly the changes that are listed on this page.</p>
          </Confirm>
          <Confirm button="Refuse" title="Refuse the removals?" confirm="Refuse and end the run" onConfirm={refuse.run} pending={refuse.pending} error={refuse.error}>
            <p>The run ends and nothing is delivered. Check the filter and the permissions of the source first.</p>
          </Confirm>
        </div>
      </Message>
      <Missing run={run} />
    </div>
  );
}

function Missing({ run }: { run: Run }) {
  const missing = useQuery(`missing ${run.id}`, async (signal) => {
    const load = (action: Schema<"ChangeAction">) => answer(api.GET("/v1/runs/{id}/changes", { params: { path: { id: run.id }, query: { action, limit: SHOWN } }, signal }));
    const pages = await Promise.all([load("remove"), load("mark"), load("missing")]);
    return pages.flatMap((page) => page.items);
  });
  const total = Object.values(run.counts).reduce((sum, count) => sum + (count.missing ?? 0), 0);
  return (
    <Card title={`What is missing (${number(total)})`}>
      {missing.loading && <Loading />}
      <Failure error={missing.error} />
      {missing.data && (
        <ul className="attributes">
          {missing.data.slice(0, SHOWN).map((one) => (
            <li key={one.objectType + one.objectId} className="break">
              {one.label ?? one.objectId} <span className="small subtle">{REASONS[one.reason ?? "deleted"]}</span>
            </li>
          ))}
        </ul>
      )}
      {total > SHOWN && <p className="subtle">The first {SHOWN} are shown. The list of changes below has all.</p>}
    </Card>
  );
}

export const REASONS: Record<Schema<"ChangeReason">, string> = {
  new: "new",
  changed: "changed in Entra",
  references: "other references",
  mapping: "other settings of the import",
  deleted: "deleted in Entra",
  softDeleted: "in Entra’s recycle bin",
  outOfScope: "no longer matches the filter",
  seenAgain: "seen again",
};
