/** The object types of an import: which are imported, with which attributes, and what they are in Assets. */
import { useState } from "react";
import type { Schema } from "../../api/client";
import type { Query } from "../../api/use";
import { Checkbox, TextField, useFaults } from "../../ui/form";
import { typeName } from "../../ui/words";
import type { Job } from "../import";
import { type Attribute, AttributeChoice } from "./attributes";
import { attributesOf, type Draft, existingOf, isEnabled, type ObjectType, type Set, typeNameOf } from "./draft";
import { ExistingFields } from "./existing";

/** Types whose objects are the distinct values of a property of users. */
export const VALUES: ObjectType[] = ["departments", "companies", "offices", "cities", "countries", "costCenters", "jobTitles"];

/** `found`: what Assets has already. */
type Props = { type: ObjectType; job?: Job; draft: Draft; set: Set; attributes: Attribute[]; found: Query<Schema<"SchemaTypes">> };

export function ObjectTypeFields(props: Props) {
  const { type, job, draft, set, attributes } = props;
  const faults = useFaults(`/objects/${type}`);
  const on = isEnabled(type, draft, job);
  const existing = existingOf(type, draft, job);
  return (
    <div className="stack tight">
      <Checkbox label={typeName(type)} checked={on} onChange={(on) => set("enabled")({ ...draft.enabled, [type]: on })} />
      {on && !existing && <AttributeChoice attributes={attributes} value={attributesOf(type, draft, job)} onChange={(keys) => set("attributes")({ ...draft.attributes, [type]: keys })} />}
      {on && <PlaceInAssets {...props} />}
      {faults.filter((fault) => !fault.pointer.startsWith(`/objects/${type}/existing/`)).map((fault) => (
        <p className="field fault" key={fault.pointer + fault.code}>
          {fault.detail}
        </p>
      ))}
    </div>
  );
}

/** Built by the import, or an object type that Assets has already. */
function PlaceInAssets({ type, job, draft, set, attributes, found }: Props) {
  const existing = existingOf(type, draft, job);
  const [open, setOpen] = useState(existing !== null);
  const proposal = found.data?.proposals.find((one) => one.objectType === type);
  const choose = (existing: Draft["existing"][ObjectType]) => set("existing")({ ...draft.existing, [type]: existing });
  return (
    <details className="small indent" open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        {existing ? `In Assets: «${existing.objectType}»` : "In Assets: built by the import"}
        {!existing && proposal && ` – «${proposal.existing.objectType}» is there already`}
      </summary>
      <div className="stack">
        <ExistingFields type={type} value={existing} onChange={choose} attributes={attributes} found={found} hasDestination={draft.destinationId !== ""} proposal={proposal} />
        {!existing && (
          <TextField
            label="Name of the object type that is built"
            pointer={`/objects/${type}/typeName`}
            value={typeNameOf(type, draft, job)}
            onChange={(name) => set("typeNames")({ ...draft.typeNames, [type]: name })}
            placeholder={`Entra ${typeName(type)}`}
            help="Empty: a name that begins with «Entra». Choose it before the first run: Assets does not let an import rename it."
          />
        )}
      </div>
    </details>
  );
}

export function ValueTypes({ types, draft, job, set }: { types: ObjectType[]; draft: Draft; job?: Job; set: Set }) {
  return (
    <div className="stack">
      <p className="small subtle">
        Entra keeps the department of a user as a text. Here each distinct text becomes an object to which its users refer, so that a department can have an owner or a queue in Assets. The text stays beside it. Only users who are imported count.
      </p>
      {types.map((type) => {
        const on = isEnabled(type, draft, job);
        return (
          <div className="stack tight" key={type}>
            <Checkbox label={typeName(type)} checked={on} onChange={(on) => set("enabled")({ ...draft.enabled, [type]: on })} />
            {on && (
              <div className="indent">
                <TextField
                  label={`Name of the object type for ${typeName(type).toLowerCase()}`}
                  pointer={`/objects/${type}`}
                  value={typeNameOf(type, draft, job)}
                  onChange={(name) => set("typeNames")({ ...draft.typeNames, [type]: name })}
                  help="Empty: a name that begins with «Entra»."
                />
              </div>
            )}
          </div>
        );
      })}
    </div>
  );
}
