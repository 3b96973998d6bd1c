/** A run that waits for a decision: the removal brake with what is missing, or objects that others made. */
import { answer, api, type Schema } from "../../api/client";
import { useAction, useQuery } from "../../api/use";
import { Card, Confirm, Failure, Loading, Message } from "../../ui/parts";
import { Moment, number } from "../../ui/time";
import { reasonText } from "../../ui/words";
import type { Where } from "../places";
import { WarningText } from "./warning";

type Run = Schema<"RunResponse">;
const SHOWN = 100;
/** The warnings that say why a run waits. */
export const ASKS = ["removal_brake", "adoption_needs_approval"];

export function Brake({ run, where, onDone }: { run: Run; where: Where; onDone: () => void }) {
  const isBrake = run.warnings.some((one) => one.code === "removal_brake");
  const warnings = run.warnings.filter((one) => ASKS.includes(one.code));
  const decide = (path: "/v1/runs/{id}/approve" | "/v1/runs/{id}/cancel") => async () => {
    await answer(api.POST(path, { params: { path: { id: run.id } } }));
    onDone();
  };
  const approve = useAction(decide("/v1/runs/{id}/approve"));
  const refuse = useAction(decide("/v1/runs/{id}/cancel"));
  return (
    <div className="stack">
      <Message tone="warning" live title={isBrake ? "More objects are gone than the brake allows" : "The run stopped and waits for your approval"}>
        {warnings.map((one) => (
          <WarningText key={one.code + one.detail} warning={one} where={where} />
        ))}
        {run.approvalExpiresAt && (
          <p>
            Decide before <Moment at={run.approvalExpiresAt} />. After that the run ends, and nothing is delivered.
          </p>
        )}
        <div className="row">
          <Confirm kind="danger" button={isBrake ? "Approve and go on" : "Approve the changes"} title="Approve what is listed?" confirm="Approve" onConfirm={approve.run} pending={approve.pending} error={approve.error}>
            <p>The run goes on and delivers exactly the changes that are listed on this page.</p>
          </Confirm>
          <Confirm button="Refuse" title="Refuse what is listed?" confirm="Refuse and end the run" onConfirm={refuse.run} pending={refuse.pending} error={refuse.error}>
            <p>The run ends and nothing is delivered.{isBrake && " Check the filter and the permissions of the source first."}</p>
          </Confirm>
        </div>
      </Message>
      {isBrake && <Missing run={run} />}
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
              {one.label ?? one.objectId} <span className="small subtle">{one.reason && reasonText(one.reason)}</span>
            </li>
          ))}
        </ul>
      )}
      {total > SHOWN && <p className="subtle">The first {SHOWN} are shown. The list of changes below has all.</p>}
    </Card>
  );
}
