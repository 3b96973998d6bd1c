/** One change, attribute by attribute. */
import type { Schema } from "../../api/client";
import { href } from "../../route";
import { Table } from "../../ui/parts";
import { attributeText, valueText } from "../../ui/words";
import { objectPath } from "../objects/path";
import { ActionLozenge } from "./action";

type Change = Schema<"RunChange">;

/** What was made by others in Assets has no page here. */
const isOfEntra = (change: Change) => change.action !== "onlyInAssets";

export function Difference({ change, jobId }: { change: Change; jobId: string }) {
  const before = (change.before ?? {}) as Record<string, unknown>;
  const after = (change.after ?? {}) as Record<string, unknown>;
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((key) => valueText(before[key]) !== valueText(after[key]));
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
            <tr key={key}>
              <td>{attributeText(key)}</td>
              {!isNew && <Value value={before[key]} gone />}
              <Value value={after[key]} />
            </tr>
          ))}
        </Table>
      )}
    </>
  );
}

function Value({ value, gone }: { value: unknown; gone?: boolean }) {
  const text = valueText(value);
  if (text === "") return <td className="subtle">empty</td>;
  return <td className="break">{gone ? <del>{text}</del> : text}</td>;
}
