/** The conditions of a filter as a form: groups of comparisons, each with what the service says about it. */
import type { ReactNode } from "react";
import type { Schema } from "../../../api/client";
import { Field as Labelled, Select, TextField } from "../../../ui/form";
import type { Kind } from "../../../ui/kinds";
import { Button, Lozenge } from "../../../ui/parts";
import { compared, type Field, fieldOf, ownField, partFor, propertyText, wayOf, waysOf } from "./choices";
import { type Comparison, type Elements, emptyGroup, type Group, newComparison, type Part } from "./model";
import { ValueField } from "./values";

export type Around = {
  kind: Kind;
  fields: Field[];
  connectionId: string;
  /** What is wrong with a part, by its id. */
  faults: Map<number, string[]>;
  /** Within the elements of a collection. */
  inner?: boolean;
};

type JoinedWord = "all" | "any" | "notAll" | "notAny";
const JOINED: [JoinedWord, string][] = [
  ["all", "all of these hold"],
  ["any", "at least one of these holds"],
];
const NEGATED: [JoinedWord, string][] = [
  ["notAll", "not all of these hold"],
  ["notAny", "none of these holds"],
];

type GroupProps = { group: Group; around: Around; onChange: (group: Group) => void; onRemove?: () => void; name: string };

export function GroupView({ group, around, onChange, onRemove, name }: GroupProps) {
  const word: JoinedWord = group.not ? (group.joined === "all" ? "notAll" : "notAny") : group.joined;
  const replace = (place: number, part: Part | null) => onChange({ ...group, parts: group.parts.flatMap((one, at) => (at !== place ? [one] : part ? [part] : [])) });
  const add = (part: Part) => onChange({ ...group, parts: [...group.parts, part] });
  const first = around.inner && around.fields[0] ? () => partFor(around.fields[0] as Field, newComparison().id) : () => newComparison();
  return (
    <div className="conditions" role="group" aria-label={name}>
      {(group.parts.length > 1 || group.not) && (
        <Select<JoinedWord> label={around.inner ? "For one of them" : around.kind === "users" ? "Take those for whom" : "Take those for which"} value={word} onChange={(word) => onChange({ ...group, joined: word === "any" || word === "notAny" ? "any" : "all", not: word.startsWith("not") })} options={group.not || around.fields.some((one) => one.advanced) ? [...JOINED, ...NEGATED] : JOINED} />
      )}
      {group.parts.map((part, place) => (
        <PartView key={part.id} part={part} around={around} name={`${name}, condition ${place + 1}`} onChange={(next) => replace(place, next)} onRemove={() => replace(place, null)} />
      ))}
      <Faults texts={around.faults.get(group.id)} />
      <div className="row">
        <Button icon="plus" onClick={() => add(first())}>
          {around.inner ? "Add a condition on the same one" : "Add a condition"}
        </Button>
        {!around.inner && (
          <Button kind="quiet" onClick={() => add({ ...emptyGroup([newComparison()]), joined: group.joined === "all" ? "any" : "all" })}>
            Add a group
          </Button>
        )}
        {onRemove && (
          <Button kind="quiet" onClick={onRemove}>
            Remove the group
          </Button>
        )}
      </div>
    </div>
  );
}

type PartProps = { part: Part; around: Around; onChange: (part: Part) => void; onRemove: () => void; name: string };

function PartView({ part, ...props }: PartProps) {
  if (part.kind === "group") return <GroupView group={part} {...props} />;
  return <ComparisonView part={part} {...props} />;
}

function ComparisonView({ part, around, onChange, onRemove, name }: PartProps & { part: Comparison | Elements }) {
  const field = fieldOf(part, around.fields) ?? ownField(part.property, part.kind === "elements" ? "values" : "value");
  const ways = waysOf(field, part);
  const way = wayOf(part, field);
  const chosen = ways.find((one) => one.key === way.key) ?? way;
  const faults = around.faults.get(part.id);
  const hasValue = part.kind === "comparison" && !part.isNull && way.count === undefined;
  const isChosen = part.property !== "";
  return (
    <div className="condition" role="group" aria-label={name}>
      <div className="comparison">
        {part.property !== null && <PropertyField part={part} fields={around.fields} fault={isChosen ? undefined : faults?.[0]} onChange={onChange} />}
        {isChosen && (
          <Select
            label="Comparison"
            value={chosen.key}
            onChange={(key) => {
              const to = ways.find((one) => one.key === key);
              if (to) onChange(compared(to, field, part));
            }}
            options={ways.map((one) => [one.key, one.text])}
          />
        )}
        {isChosen && hasValue && (
          <div className="stack tight">
            <ValueField part={part} field={field} kind={around.kind} connectionId={around.connectionId} fault={faults?.[0]} onChange={(values) => onChange({ ...part, values })} />
          </div>
        )}
        <Button kind="quiet" label={`Remove ${name}`} onClick={onRemove}>
          <span aria-hidden="true">×</span>
        </Button>
      </div>
      {part.kind === "elements" && <GroupView group={part.of} name={`${name}, elements`} around={{ ...around, fields: field.elements, inner: true }} onChange={(of) => onChange({ ...part, of })} />}
      {isChosen && hasValue ? <Faults texts={faults?.slice(1)} /> : isChosen && <Faults texts={faults} />}
      {isChosen && <Notes field={field} advanced={chosen.advanced} />}
    </div>
  );
}

const OTHER = "other";
/** What filters are made of most often. */
const USUAL: Record<Schema<"EntityKind">, string[]> = {
  users: ["accountEnabled", "userType", "department", "country", "city", "companyName", "jobTitle", "officeLocation", "mail", "userPrincipalName", "displayName", "assignedLicenses"],
  groups: ["displayName", "groupTypes", "securityEnabled", "mailEnabled", "mail"],
  devices: ["operatingSystem", "accountEnabled", "isManaged", "isCompliant", "trustType", "displayName"],
  applications: ["displayName", "appId", "signInAudience", "createdDateTime"],
  servicePrincipals: ["displayName", "servicePrincipalType", "accountEnabled", "tags"],
  roles: ["displayName", "isBuiltIn"],
  administrativeUnits: ["displayName", "description"],
};

type PropertyProps = { part: Comparison | Elements; fields: Field[]; fault: string | undefined; onChange: (part: Part) => void };

function PropertyField({ part, fields, fault, onChange }: PropertyProps) {
  const known = fieldOf(part, fields);
  const isOwn = part.property !== "" && !known;
  const choose = (name: string) => {
    const field = fields.find((one) => one.name === name);
    onChange(field ? partFor(field, part.id) : { ...newComparison(name === OTHER ? "extension_" : ""), id: part.id });
  };
  const option = (field: Field) => (
    <option key={field.name} value={field.name ?? ""}>
      {propertyText(field.name ?? "")}
    </option>
  );
  const usual = USUAL[fields[0]?.property?.objectType ?? "users"].flatMap((name) => fields.find((one) => one.name === name && one.property) ?? []);
  return (
    <div className="stack tight">
      <Labelled label="Property" fault={fault}>
        {(control) => (
          <select {...control} className="input" value={isOwn ? OTHER : (known?.name ?? "")} onChange={(event) => choose(event.target.value)}>
            {part.property === "" && <option value="">Choose a property</option>}
            {usual.length > 0 && <optgroup label="Often used">{usual.map(option)}</optgroup>}
            {usual.length > 0 ? <optgroup label="All properties">{fields.filter((one) => !usual.includes(one)).map(option)}</optgroup> : fields.map(option)}
            {usual.length > 0 && <option value={OTHER}>A directory extension or another name…</option>}
          </select>
        )}
      </Labelled>
      {isOwn && (
        <TextField
          label="Name of the property"
          code
          value={part.property ?? ""}
          onChange={(property) => onChange({ ...part, property: property.trim() } as Part)}
          help="As Microsoft Graph names it, such as extension_<application id>_<name>."
        />
      )}
    </div>
  );
}

function Faults({ texts }: { texts: string[] | undefined }) {
  if (!texts || texts.length === 0) return null;
  return (
    <div className="field" role="status">
      {texts.map((text) => (
        <p className="fault" key={text}>
          {text}
        </p>
      ))}
    </div>
  );
}

/** What the comparison costs and needs. */
function Notes({ field: { property }, advanced }: { field: Field; advanced: boolean }) {
  const notes: [ReactNode, string][] = [];
  if (advanced) notes.push([<Lozenge key="a">Advanced query</Lozenge>, "Graph answers it more slowly, and shows changes some seconds later."]);
  if (property && !property.incremental) notes.push([<Lozenge key="b">Full runs only</Lozenge>, "An import with it reads everything each time, because Graph does not report its changes."]);
  if (property && property.capability !== property.objectType) notes.push([<Lozenge key="c">{property.permissions.join(", ")}</Lozenge>, "The source needs this permission."]);
  if (notes.length === 0) return null;
  return (
    <div className="stack tight">
      {notes.map(([mark, text]) => (
        <p className="small subtle" key={text}>
          {mark} {text}
        </p>
      ))}
    </div>
  );
}
