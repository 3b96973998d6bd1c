/** References to objects in Assets that the import does not fill: each is found by a text of Entra. */
import type { Schema } from "../../api/client";
import type { Query } from "../../api/use";
import { Select, TextField } from "../../ui/form";
import { Button, Failure, Fold } from "../../ui/parts";
import type { Attribute } from "./attributes";
import type { Existing, Lookup, ObjectType } from "./draft";
import { typeNamed } from "./existing";

type Found = Query<Schema<"SchemaTypes">>;
type TheirType = Schema<"SchemaType">;
type Props = { type: ObjectType; value: Lookup[]; onChange: (lookups: Lookup[]) => void; attributes: Attribute[]; existing: Existing | null; found: Found };

/** What objects can be found by: of Entra, and in Assets. */
const TEXTS = ["text", "textarea"];
const THEIR_TEXTS = [...TEXTS, "select", "email", "url"];

export function LookupFields(props: Props) {
  const { value, onChange, attributes, found } = props;
  const used = value.map((one) => one.attribute);
  const others = attributes.filter((one) => TEXTS.includes(one.assetsType) && !used.includes(one.key));
  const replace = (place: number, lookup: Lookup | null) => onChange(value.flatMap((one, at) => (at !== place ? [one] : lookup ? [lookup] : [])));
  return (
    <Fold className="small indent" summary={value.length === 0 ? "References to your own objects: none" : `References to your own objects: ${value.length}`} shown={value.length > 0}>
      <p className="subtle">Assets may have objects that Entra does not have, such as cost centres. Where one of them has a text of Entra, such as the department, the object from Entra refers to it. Your objects are never changed.</p>
      {value.length > 0 && found.error && <Failure error={found.error} title="Assets could not be asked" />}
      {value.map((one, place) => (
        <LookupRow key={one.attribute} {...props} lookup={one} place={place} onReplace={(lookup) => replace(place, lookup)} />
      ))}
      <Select
        label="Refer by another text"
        value=""
        onChange={(attribute) => attribute !== "" && onChange([...value, { attribute, objectType: "" }])}
        options={[["", "Choose what Entra has"], ...others.map((one): [string, string] => [one.key, one.name])]}
      />
    </Fold>
  );
}

type RowProps = Props & { lookup: Lookup; place: number; onReplace: (lookup: Lookup | null) => void };

function LookupRow({ type, attributes, existing, found, lookup, place, onReplace }: RowProps) {
  const name = attributes.find((one) => one.key === lookup.attribute)?.name ?? lookup.attribute;
  const pointer = (field: string) => `/objects/${type}/lookups/${place}/${field}`;
  const types = found.data?.types ?? [];
  const target = typeNamed(types, lookup.objectType);
  const texts = (target?.attributes ?? []).filter((one) => THEIR_TEXTS.includes(one.type));
  return (
    <div className="stack tight" role="group" aria-label={`Reference by ${name}`}>
      <div className="comparison">
        <Select
          label={`${name} is that of`}
          pointer={pointer("objectType")}
          value={target?.name ?? lookup.objectType}
          onChange={(objectType) => onReplace({ ...lookup, objectType, by: null })}
          options={choices("Choose an object type", target?.name ?? lookup.objectType, types.filter((one) => one.externalId !== null).map((one) => one.name))}
          help={found.data || found.loading || found.error ? undefined : "Assets is asked for its object types when a destination is chosen."}
        />
        <Select label="There it is in" pointer={pointer("by")} value={lookup.by ?? ""} onChange={(by) => onReplace({ ...lookup, by: by || null })} options={choices("The name of the object", lookup.by ?? "", texts.map((one) => one.name))} />
        <Button kind="quiet" label={`Do not refer by ${name}`} onClick={() => onReplace(null)}>
          <span aria-hidden="true">×</span>
        </Button>
      </div>
      {existing ? (
        <Select
          label={`Reference in «${existing.objectType}»`}
          pointer={pointer("name")}
          value={lookup.name ?? ""}
          onChange={(name) => onReplace({ ...lookup, name: name || null })}
          options={choices("Choose an attribute", lookup.name ?? "", referring(typeNamed(types, existing.objectType), target))}
        />
      ) : (
        <TextField label="Name of the reference" pointer={pointer("name")} value={lookup.name ?? ""} onChange={(name) => onReplace({ ...lookup, name: name || null })} placeholder={`${name} Reference`} />
      )}
    </div>
  );
}

/** The attributes of a type that refer to objects of the other. */
const referring = (type: TheirType | undefined, target: TheirType | undefined) => (type?.attributes ?? []).filter((one) => one.refersTo !== null && one.refersTo === target?.name).map((one) => one.name);

/** What can be chosen, and what is chosen, also if Assets does not have it any more. */
function choices(none: string, current: string, names: string[]): [string, string][] {
  const known = current === "" || names.includes(current) ? names : [current, ...names];
  return [["", none], ...known.map((name): [string, string] => [name, name])];
}
