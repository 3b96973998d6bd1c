/** The object types and attributes in Assets, and what building them would change. */
import { answer, api, type Schema } from "../../api/client";
import { useAction, useQuery } from "../../api/use";
import { Button, Card, Failure, Loading, Lozenge, Message } from "../../ui/parts";
import type { Job } from "../import";

type Difference = Schema<"SchemaDifference">;

export function BuildStep({ job }: { job: Job }) {
  const schema = useQuery(`schema ${job.id} ${job.version}`, (signal) => answer(api.GET("/v1/jobs/{id}/schema", { params: { path: { id: job.id } }, signal })));
  const build = useAction(async () => {
    await answer(api.POST("/v1/jobs/{id}/schema", { params: { path: { id: job.id } } }));
    schema.reload();
  });
  const difference = schema.data?.difference;
  const done = difference?.inSync === true;
  return (
    <li className={done ? "done" : undefined}>
      <Card title="Build object types and attributes" aside={done && <Lozenge tone="success">Up to date</Lozenge>}>
        <div className="stack">
          {schema.loading && <Loading what="Comparing with Assets" />}
          <Failure error={schema.error} />
          {schema.data?.problem && (
            <Message tone="warning">
              <p>{schema.data.problem}</p>
            </Message>
          )}
          {difference && <DifferenceView difference={difference} />}
          {!done && schema.data && (
            <div className="row">
              <Button pending={build.pending} onClick={() => void build.run()}>
                Build
              </Button>
              <span className="subtle">The first run builds them too.</span>
            </div>
          )}
          <Failure error={build.error} />
        </div>
      </Card>
    </li>
  );
}

function DifferenceView({ difference }: { difference: Difference }) {
  const attribute = (one: Schema<"AttributeName">) => `${one.objectType}: ${one.attribute ?? "the object type"}`;
  if (difference.inSync && difference.refused.length === 0 && difference.unused.length === 0) return <p>Assets has every object type and attribute of this import.</p>;
  return (
    <div className="stack tight">
      <Names title="New object types" names={difference.addedObjectTypes} />
      <Names title="New attributes" names={difference.addedAttributes.map(attribute)} />
      <Names title="Changed" names={difference.changed.map((one) => `${one.objectType}: ${one.attribute ?? ""} ${one.field}: ${one.current} → ${one.wanted}`)} />
      {difference.refused.map((one) => (
        <Message key={one.objectType + one.attribute + one.kind} tone="warning" title={`${one.objectType}${one.attribute ? `: ${one.attribute}` : ""}`}>
          <p>
            {one.current} → {one.wanted}
          </p>
          <p>{one.advice}</p>
        </Message>
      ))}
      <Names title="In Assets, but not of this import" names={[...difference.foreign, ...difference.unused].map(attribute)} />
    </div>
  );
}

function Names({ title, names }: { title: string; names: string[] }) {
  if (names.length === 0) return null;
  return (
    <div className="row">
      <span className="subtle">{title}:</span>
      {names.slice(0, 30).map((name) => (
        <Lozenge key={name}>{name}</Lozenge>
      ))}
      {names.length > 30 && <span className="subtle">and {names.length - 30} more</span>}
    </div>
  );
}
