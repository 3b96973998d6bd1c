/** One change, attribute by attribute. */
import type { Schema } from "../../api/client";
import { href } from "../../route";
import { type Difference as Shown, difference, differs } from "../../ui/difference";
import { Table } from "../../ui/parts";
import { plural } from "../../ui/time";
import { attributeText } from "../../ui/words";
import { objectPath } from "../objects/path";
import { ActionLozenge } from "./action";

type Change = Schema<"RunChange">;

/** What was made by others in Assets has no page here. */
const isOfEntra = (change: Change) => change.action !== "onlyInAssets";

export function Difference({ change, jobId }: { change: Change; jobId: string }) {
  const before = (change.before ?? {}) as Record<string, unknown>;
  const after = (change.after ?? {}) as Record<string, unknown>;
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((key) => differs(before[key], after[key]));
  const isNew = change.before === null;
  return (
    <>
      <div className="row">
        <h3>{change.label ?? change.objectId}</h3>
        <ActionLozenge action={change.action} />
        {isOfEntra(change) && <a href={href(objectPath(jobId, change.objectType, change.objectId))}>Open the object</a>}
      </div>
      {keys.length === 0 ? (
        <p className="subtle">The values stay as they are.</p>
      ) : (
        <Table label="Values" head={isNew ? ["Attribute", "Value"] : ["Attribute", "Before", "After"]}>
          {keys.map((key) => (
            <Row key={key} name={attributeText(key)} isNew={isNew} {...difference(before[key], after[key])} />
          ))}
        </Table>
      )}
    </>
  );
}

function Row({ name, isNew, gone, come, kept }: Shown & { name: string; isNew: boolean }) {
  const nothing = <span className="subtle">{kept > 0 ? "–" : "empty"}</span>;
  return (
    <tr>
      <td>{name}</td>
      {!isNew && <td className="break">{gone === "" ? nothing : <del>{gone}</del>}</td>}
      <td className="break">
        {come === "" ? nothing : come}
        {kept > 0 && <div className="small subtle">{plural(kept, "value stays", "values stay")} as before</div>}
      </td>
    </tr>
  );
}
