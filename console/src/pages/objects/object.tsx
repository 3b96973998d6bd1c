/** One object: what Entra has, what it is linked with, what Assets took, and what each run did to it. */
import { answer, api, type Schema } from "../../api/client";
import { useQuery } from "../../api/use";
import { href } from "../../route";
import { type Difference, difference } from "../../ui/difference";
import { Card, Facts, Failure, Head, Loading, Lozenge, Message, Table } from "../../ui/parts";
import { Moment, plural } from "../../ui/time";
import { attributeText, excerpt, reasonText, typeName, valueText, wordsOf } from "../../ui/words";
import type { ObjectType } from "../import/draft";
import { ActionLozenge } from "../run/action";
import { RunState, runTitle } from "../run/state";
import { objectPath } from "./path";

type ObjectResponse = Schema<"ObjectResponse">;

export function ObjectPage({ path: [jobId = "", type = "", key = ""] }: { path: string[] }) {
  const object = useQuery(`object ${jobId} ${type} ${key}`, (signal) =>
    answer(api.GET("/v1/jobs/{id}/objects/{type}/{key}", { params: { path: { id: jobId, type: type as ObjectType, key } }, signal })),
  );
  if (!object.data) return object.error ? <Failure error={object.error} /> : <Loading />;
  const { label, properties, delivered, links, history, id } = object.data;
  return (
    <>
      <Head title={label} crumbs={{ to: `/import/${jobId}?tab=objects`, text: "Objects" }} intro={typeName(object.data.objectType)} />
      <div className="stack loose">
        <Delivery delivered={delivered} isRead={properties !== null} />
        <div className="columns">
          <div className="stack">
            <Card title="In Entra">{properties ? <Values label="In Entra" values={properties as Record<string, unknown>} /> : <p className="subtle">The last complete run did not find it.</p>}</Card>
            {delivered && (
              <Card title="In Assets, as it was sent">
                <Values label="In Assets" values={named(delivered.values as Record<string, unknown>, links)} />
              </Card>
            )}
          </div>
          <div className="stack">
            <Card title="Linked with">
              <Links jobId={jobId} links={links} />
            </Card>
            <Card title="History">
              <History history={history} />
            </Card>
          </div>
        </div>
        <Facts items={[["Object id", <code key="i">{id}</code>]]} />
      </div>
    </>
  );
}

function Delivery({ delivered, isRead }: { delivered: ObjectResponse["delivered"]; isRead: boolean }) {
  if (!delivered) {
    return (
      <Message tone="information" title="Not delivered yet">
        <p>Assets has not taken it from this import.</p>
      </Message>
    );
  }
  if (delivered.missingReason) {
    return (
      <Message tone="warning" title={delivered.marked ? "Marked as removed in Assets" : "Missing"}>
        <p>
          It is {reasonText(delivered.missingReason)}. {delivered.missingRuns} complete {delivered.missingRuns === 1 ? "run" : "runs"} in a row did not find it.
        </p>
      </Message>
    );
  }
  return (
    <Message tone="success" title={isRead ? "In Entra and in Assets" : "In Assets"}>
      <p>
        Assets took it last on <Moment at={delivered.at} />.
      </p>
    </Message>
  );
}

function Values({ label, values }: { label: string; values: Record<string, unknown> }) {
  const shown = Object.entries(values).filter(([, value]) => valueText(value) !== "");
  return (
    <Table label={label} head={["Attribute", "Value"]}>
      {shown.map(([key, value]) => (
        <tr key={key}>
          <td>{attributeText(key)}</td>
          <td className="break">{excerpt(valueText(value))}</td>
        </tr>
      ))}
    </Table>
  );
}

/** Of this object, as one says it: «Manager», «Owners». */
const RELATIONS: Record<Schema<"Relation">, string> = { manager: "Manager", owner: "Owners", license: "Licences", group: "Groups", member: "Members" };

/** References are ids; what they refer to has names. */
function named(values: Record<string, unknown>, links: ObjectResponse["links"]): Record<string, unknown> {
  const names = new Map(links.map((one) => [one.id, one.label ?? one.id]));
  const nameOf = (value: unknown) => names.get(value as string) ?? value;
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, Array.isArray(value) ? value.map(nameOf) : nameOf(value)]));
}

function Links({ jobId, links }: { jobId: string; links: ObjectResponse["links"] }) {
  if (links.length === 0) return <p className="subtle">Nothing.</p>;
  const relations = [...new Set(links.map((one) => one.relation))];
  return (
    <dl className="stack tight">
      {relations.map((relation) => (
        <div key={relation}>
          <dt className="small subtle">{RELATIONS[relation] ?? wordsOf(relation)}</dt>
          {links
            .filter((one) => one.relation === relation)
            .map((one) => (
              <dd key={one.id} className="break">
                {one.objectType ? <a href={href(objectPath(jobId, one.objectType, one.id))}>{one.label ?? one.id}</a> : <span className="subtle">{one.id} (not imported)</span>}
              </dd>
            ))}
        </div>
      ))}
    </dl>
  );
}

function Changed({ name, gone, come, kept }: Difference & { name: string }) {
  const nothing = kept > 0 ? "–" : <Lozenge>empty</Lozenge>;
  return (
    <li className="break">
      {name}: {gone === "" ? nothing : <del>{gone}</del>} → {come === "" ? nothing : come}
      {kept > 0 && <span className="subtle"> ({plural(kept, "value stays", "values stay")})</span>}
    </li>
  );
}

function History({ history }: { history: ObjectResponse["history"] }) {
  if (history.length === 0) return <p className="subtle">No run changed it.</p>;
  return (
    <ol className="stack" aria-label="History">
      {history.map((one) => (
        <li key={one.runId} className="stack tight">
          <div className="row">
            <ActionLozenge action={one.action} />
            <a href={href(`/runs/${one.runId}`)}>
              {runTitle(one)}, <Moment at={one.at} />
            </a>
            {one.state !== "succeeded" && <RunState run={one} />}
          </div>
          {one.reason && <p className="small subtle">{reasonText(one.reason)}</p>}
          {one.changes.length > 0 && (
            <details>
              <summary className="small">{one.changes.length === 1 ? "One value" : `${one.changes.length} values`}</summary>
              <ul className="small stack tight">
                {one.changes.map((change) => (
                  <Changed key={change.name} name={attributeText(change.name)} {...difference(change.before, change.after)} />
                ))}
              </ul>
            </details>
          )}
        </li>
      ))}
    </ol>
  );
}
