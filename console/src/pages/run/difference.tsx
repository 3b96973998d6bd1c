/** One change, attribute by attribute. */
import type { Schema } from "../../api/client";
import { Table } from "../../ui/parts";
import { ActionLozenge } from "./changes";

type Change = Schema<"RunChange">;

export function Difference({ change }: { change: Change }) {
  const before = (change.before ?? {}) as Record<string, unknown>;
  const after = (change.after ?? {}) as Record<string, unknown>;
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((key) => textOf(before[key]) !== textOf(after[key]));
  const isNew = change.before === null;
  return (
    <>
      <div className="row">
        <h3>{change.label ?? change.objectId}</h3>
        <ActionLozenge action={change.action} />
      </div>
      {keys.length === 0 ? (
        <p className="subtle">The values stay as they are.</p>
      ) : (
        <Table label="Values" head={isNew ? ["Attribute", "Value"] : ["Attribute", "Before", "After"]}>
          {keys.map((key) => (
            <tr key={key}>
              <td>{wordsOf(key)}</td>
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
  const text = textOf(value);
  if (text === "") return <td className="subtle">empty</td>;
  return <td className="break">{gone ? <del>{text}</del> : text}</td>;
}

const MOST = 300;

function textOf(value: unknown): string {
  if (value === null || value === undefined) return "";
  const text = Array.isArray(value) ? value.map(textOf).join(", ") : typeof value === "object" ? JSON.stringify(value) : String(value);
  return text.length > MOST ? `${text.slice(0, MOST)}…` : text;
}

/** `userPrincipalName` as «User Principal Name». */
const wordsOf = (key: string) => key.replace(/([a-z])([A-Z])/g, "$1 $2").replace(/^./, (first) => first.toUpperCase());
