/** The object types of an import: which are imported, with which attributes, and what they are in Assets. */
import type { Schema } from "../../api/client";
import type { Query } from "../../api/use";
import { Checkbox, FaultTexts, TextField, useOtherFaults } from "../../ui/form";
import { Fold } from "../../ui/parts";
import { typeName } from "../../ui/words";
import type { Job } from "../import";
import { type Attribute, AttributeChoice } from "./attributes";
import { type Accounts, accountsOf, type Choice, choiceOf, type Draft, existingOf, isEnabled, lookupsOf, namesOf, type ObjectType, type Set, typeNameOf } from "./draft";
import { ExistingFields } from "./existing";
import { LookupFields } from "./lookups";
import { NameFields } from "./names";

/** Types whose objects are the distinct values of a property of users. */
export const VALUES: ObjectType[] = ["departments", "companies", "offices", "cities", "countries", "costCenters", "jobTitles"];

/** `found`: what Assets has already. */
type Props = { type: ObjectType; job?: Job; draft: Draft; set: Set; attributes: Attribute[]; found: Query<Schema<"SchemaTypes">> };

export function ObjectTypeFields(props: Props) {
  const { type, job, draft, set, attributes } = props;
  const faults = useOtherFaults(`/objects/${type}`);
  const on = isEnabled(type, draft, job);
  const existing = existingOf(type, draft, job);
  const choose = (choice: Choice) => {
    set("attributes")({ ...draft.attributes, [type]: choice.attributes });
    set("references")({ ...draft.references, [type]: choice.references });
  };
  return (
    <div className="stack tight">
      <Checkbox label={typeName(type)} checked={on} onChange={(on) => set("enabled")({ ...draft.enabled, [type]: on })} />
      {on && !existing && <AttributeChoice type={type} attributes={attributes} value={choiceOf(type, draft, job, attributes)} onChange={choose} />}
      {on && <PlaceInAssets {...props} />}
      {on && <LookupFields type={type} value={lookupsOf(type, draft, job)} onChange={(lookups) => set("lookups")({ ...draft.lookups, [type]: lookups })} attributes={attributes} existing={existing} found={props.found} />}
      {on && type === "users" && <AccountFields draft={draft} job={job} set={set} />}
      <FaultTexts faults={faults} />
    </div>
  );
}

/** The Jira account of each user, in an attribute of its object. */
function AccountFields({ draft, job, set }: Pick<Props, "draft" | "job" | "set">) {
  const { jiraUser, jiraUserAttribute } = accountsOf(draft, job);
  const change = (part: Partial<Accounts>) => set("accounts")({ ...draft.accounts, ...part });
  return (
    <div className="stack tight indent">
      <Checkbox
        label="Link each user with their Jira account"
        help="The account with the user's mail address or sign-in name is written into an attribute of the type User after each delivery. The destination needs its object API."
        checked={jiraUser}
        onChange={(jiraUser) => change({ jiraUser })}
      />
      {jiraUser && (
        <TextField
          label="Attribute for the Jira account"
          pointer="/objects/users/jiraUserAttribute"
          value={jiraUserAttribute}
          onChange={(jiraUserAttribute) => change({ jiraUserAttribute })}
          placeholder="Jira User"
          help="Empty: «Jira User». It is added if the object type has no attribute of this name. One that is there must have the type User."
        />
      )}
    </div>
  );
}

/** Built by the import, or an object type that Assets has already. */
function PlaceInAssets({ type, job, draft, set, attributes, found }: Props) {
  const existing = existingOf(type, draft, job);
  const proposal = found.data?.proposals.find((one) => one.objectType === type);
  const summary = existing ? `In Assets: «${existing.objectType}»` : `In Assets: built by the import${proposal ? ` – «${proposal.existing.objectType}» is there already` : ""}`;
  const choose = (existing: Draft["existing"][ObjectType]) => set("existing")({ ...draft.existing, [type]: existing });
  return (
    <Fold className="small indent" summary={summary} shown={existing !== null}>
      <ExistingFields type={type} value={existing} onChange={choose} attributes={attributes} found={found} hasDestination={draft.destinationId !== ""} proposal={proposal} />
      {!existing && (
        <>
          <TextField
            label={`Name of the object type for ${typeName(type).toLowerCase()}`}
            pointer={`/objects/${type}/typeName`}
            value={typeNameOf(type, draft, job)}
            onChange={(name) => set("typeNames")({ ...draft.typeNames, [type]: name })}
            help="Empty: a name that begins with «Entra». Choose it before the first run: Assets does not let an import rename it."
          />
          <NameFields type={type} attributes={attributes} chosen={choiceOf(type, draft, job, attributes).attributes ?? []} value={namesOf(type, draft, job)} onChange={(names) => set("names")({ ...draft.names, [type]: names })} />
        </>
      )}
    </Fold>
  );
}

/** `fields`: those of one of the types. */
export function ValueTypes({ types, fields }: { types: ObjectType[]; fields: (type: ObjectType) => React.ReactNode }) {
  return (
    <div className="stack">
      <p className="small subtle">
        Entra keeps the department of a user as a text. Here each distinct text becomes an object to which its users refer, so that a department can have an owner or a queue in Assets. The text stays beside it. Only users who are imported count.
      </p>
      {types.map(fields)}
    </div>
  );
}
