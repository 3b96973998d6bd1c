/** The field for the value of a comparison: a choice where the values are known, a date, a number, a list. */
import { useState } from "react";
import { Select, TextArea, TextField } from "../../../ui/form";
import type { Kind } from "../../../ui/kinds";
import { Lookup } from "../../lookup";
import type { Field } from "./choices";
import type { Comparison, Scalar } from "./model";

type Props = { part: Comparison; field: Field; kind: Kind; connectionId: string; fault: string | undefined; onChange: (values: Scalar[]) => void };

export function ValueField(props: Props) {
  const { part, field, kind, connectionId, onChange } = props;
  const ids = idsOf(kind, part.property);
  return (
    <>
      {part.operator === "in" ? <ListField {...props} /> : <OneField {...props} />}
      {ids && connectionId !== "" && field.valueType !== "boolean" && (
        <PickId kind={ids} connectionId={connectionId} onPick={(id) => onChange(part.operator === "in" ? [...part.values.filter((one) => one !== ""), id] : [id])} />
      )}
    </>
  );
}

function OneField({ part, field, fault, onChange }: Props) {
  const value = part.values[0] ?? "";
  const text = String(value);
  const set = (text: string) => onChange([typed(text, field, value)]);
  if (field.valueType === "boolean" || typeof value === "boolean") {
    return <Select label="Value" value={text} onChange={(text) => onChange([text === "true"])} options={[["true", "Yes"], ["false", "No"]]} fault={fault} />;
  }
  if (field.values.length > 0) {
    const known = field.values.includes(text) || text === "" ? field.values : [text, ...field.values];
    return <Select label="Value" value={text} onChange={set} options={known.map((one) => [one, one])} fault={fault} />;
  }
  // Graph takes a day too; a time that is written already stays a time.
  const isDay = field.valueType === "dateTime" && (text === "" || /^\d{4}-\d{2}-\d{2}$/.test(text));
  return <TextField label="Value" type={isDay ? "date" : field.valueType === "integer" ? "number" : "text"} value={text} onChange={set} placeholder={placeholder(field)} fault={fault} />;
}

function ListField({ part, field, fault, onChange }: Props) {
  const text = part.values.join("\n");
  return (
    <TextArea
      label="Values"
      rows={3}
      value={text}
      onChange={(text) => onChange(listed(text, field, part.values))}
      placeholder={field.values.join("\n") || placeholder(field)}
      help="One on each line."
      fault={fault}
    />
  );
}

/** The values of the lines. One that is there already stays as it is. */
function listed(text: string, field: Field, before: Scalar[]): Scalar[] {
  const known = new Map(before.map((value) => [String(value), value]));
  const kind = before.find((value) => typeof value === "number") ?? "";
  return text.split("\n").map((line) => known.get(line) ?? typed(line.trimStart(), field, kind));
}

/** A number stays a number, where the property or the value before was one. */
function typed(text: string, field: Field, before: Scalar): Scalar {
  const isNumber = field.valueType === "integer" || typeof before === "number";
  return isNumber && /^-?\d{1,15}$/.test(text) ? Number(text) : text;
}

function placeholder(field: Field): string | undefined {
  const { example } = (field.property ?? {}) as { example?: { value?: unknown; any?: { value?: unknown } } };
  const value = example?.value ?? example?.any?.value;
  return field.valueType === "string" ? undefined : typeof value === "string" || typeof value === "number" ? String(value) : undefined;
}

/** The objects whose ids a property has, so that one can be picked by name. */
function idsOf(kind: Kind, property: string | null): Kind | undefined {
  if (property === "manager/id") return "users";
  return property === "id" ? kind : undefined;
}

function PickId({ kind, connectionId, onPick }: { kind: Kind; connectionId: string; onPick: (id: string) => void }) {
  const [search, setSearch] = useState("");
  return (
    <Lookup
      connectionId={connectionId}
      kind={kind}
      search={search}
      onSearch={setSearch}
      onPick={(one) => {
        onPick(one.id);
        setSearch("");
      }}
    />
  );
}
