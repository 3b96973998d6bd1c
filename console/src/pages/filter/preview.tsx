/** Whom a filter takes: numbers, a sample and what reading it costs, as one types. */
import { useEffect, useState } from "react";
import { answer, api, type Schema } from "../../api/client";
import { useQuery } from "../../api/use";
import { Select } from "../../ui/form";
import { type Kind, KIND_NAMES, KINDS } from "../../ui/kinds";
import { Failure, Loading, Message, Tabs } from "../../ui/parts";
import { duration, number } from "../../ui/time";
import { loadConnections } from "../source";

export type Tenant = { connectionId: string; setConnectionId: (id: string) => void };

export function Preview({ rules, valid, tenant: { connectionId, setConnectionId } }: { rules: string; valid: boolean; tenant: Tenant }) {
  const connections = useQuery("connections", loadConnections);
  const [kind, setKind] = useState<Kind>("users");
  const usable = connections.data?.find((one) => one.lastCheck?.overall === "ok") ?? connections.data?.[0];
  useEffect(() => {
    if (connectionId === "" && usable) setConnectionId(usable.id);
  }, [connectionId, usable, setConnectionId]);
  const preview = useQuery(valid && connectionId !== "" ? `preview ${connectionId} ${rules}` : null, (signal) =>
    answer(api.POST("/v1/filters/preview", { body: { connectionId, ...JSON.parse(rules) }, signal })),
  );
  // Those that are off by default are counted where something is said of them.
  const counted = KINDS.filter((one) => preview.data?.counts[one]);
  const shown = counted.includes(kind) ? kind : "users";
  return (
    <section className="panel stack sticky" aria-label="Preview">
      <h2>Preview</h2>
      <Failure error={connections.error} />
      {connections.data?.length === 0 && <p>Connect a tenant first. The preview then shows whom this filter takes.</p>}
      {connections.data && connections.data.length > 0 && (
        <Select label="Tenant" value={connectionId} onChange={setConnectionId} options={connections.data.map((one) => [one.id, one.name])} />
      )}
      {!valid && connectionId !== "" && <p className="subtle">The preview appears when the conditions are complete and have no fault.</p>}
      {preview.loading && <Loading what="Asking Microsoft Graph" />}
      <Failure error={preview.error} />
      {preview.data && (
        <div className="stack" aria-live="polite">
          <dl className="facts">
            {counted.map((one) => (
              <Count key={one} name={KIND_NAMES[one]} count={preview.data?.counts[one]} />
            ))}
          </dl>
          {preview.data.partial && (
            <Message tone="warning">
              <p>Counting took too long. The numbers are from the part that was read in time.</p>
            </Message>
          )}
          {preview.data.warnings.map((warning) => (
            <Message key={warning.code + warning.detail} tone="warning">
              <p>{warning.detail}</p>
              {warning.advice && <p>{warning.advice}</p>}
            </Message>
          ))}
          <div>
            <Tabs label="Sample" value={shown} onChange={setKind} tabs={counted.map((one) => [one, KIND_NAMES[one]])} />
            <Sample objects={preview.data.sample[shown] ?? []} />
          </div>
          <Cost cost={preview.data.cost} />
        </div>
      )}
    </section>
  );
}

function Count({ name, count }: { name: string; count?: Schema<"PreviewCount"> }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd className="metric">
        {count?.exact === false && count.count !== null && "≈ "}
        {number(count?.count)}
      </dd>
      <dd className="small subtle">
        of {number(count?.total)}
        {count?.outOfScope ? `, ${number(count.outOfScope)} left out by scope or limits` : ""}
      </dd>
    </div>
  );
}

function Sample({ objects }: { objects: Schema<"SampleObject">[] }) {
  if (objects.length === 0) return <p className="subtle">Nothing matches.</p>;
  return (
    <ul className="stack tight">
      {objects.map((one) => (
        <li key={one.id}>
          <div>{one.displayName ?? one.id}</div>
          <div className="small subtle break">{one.userPrincipalName ?? one.mail ?? one.operatingSystem ?? one.id}</div>
        </li>
      ))}
    </ul>
  );
}

function Cost({ cost }: { cost: Schema<"PreviewCost"> }) {
  return (
    <p className="small subtle">
      Reading it takes {number(cost.requests)} requests to Graph ({number(cost.resourceUnits)} resource units)
      {cost.secondsAtLeast > 0 && `, and at least ${duration(cost.secondsAtLeast * 1000)}`}.
    </p>
  );
}
