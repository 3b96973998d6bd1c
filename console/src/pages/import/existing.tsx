/** An object type that Assets has already: which one, what is written into which of its attributes, and what does not fit. */
import type { Query } from "../../api/use";
import type { Schema } from "../../api/client";
import { Select } from "../../ui/form";
import { Button, Failure, Loading, Message } from "../../ui/parts";
import { plural } from "../../ui/time";
import { type Attribute, TenantAttribute } from "./attributes";
import type { Existing, ObjectType } from "./draft";
import { Problems } from "../destination/types";

type Found = Query<Schema<"SchemaTypes">>;
type TheirType = Schema<"SchemaType">;
type Proposal = Schema<"TypeProposal">;
type Props = { type: ObjectType; value: Existing | null; onChange: (existing: Existing | null) => void; attributes: Attribute[]; found: Found; hasDestination: boolean; proposal: Proposal | undefined };

export function ExistingFields(props: Props) {
  const { value, found, proposal, hasDestination, onChange } = props;
  if (!hasDestination) return <p className="subtle">Choose a destination to see what Assets has already.</p>;
  if (!found.data) return found.error ? <Failure error={found.error} title="Assets could not be asked" /> : <Loading what="Asking Assets" />;
  return (
    <div className="stack">
      {proposal && !same(proposal.existing, value) && (
        <Message tone="information" title={`«${proposal.existing.objectType}» looks like it`}>
          <p>{plural(Object.keys(proposal.existing.attributes).length, "attribute")} were found by name and type. Objects that are recognised are updated and keep their keys; attributes that are not chosen are never touched.</p>
          <Problems problems={proposal.problems} />
          <div>
            <Button onClick={() => onChange(proposal.existing)}>Take the proposal</Button>
          </div>
        </Message>
      )}
      <TypeChoice {...props} />
      {value && <Mapping {...props} value={value} />}
      {value && proposal && same(proposal.existing, value) && <Problems problems={proposal.problems} />}
    </div>
  );
}

const same = (one: Existing, other: Existing | null) => other !== null && key(one) === key(other);
const key = ({ objectType, identity, matchBy, attributes }: Existing) => JSON.stringify([objectType, identity, matchBy ?? null, Object.entries(attributes).sort()]);

/** The object type that a text names, as the service finds it: by its external id, or by its name in any case. */
export function typeNamed(types: TheirType[], text: string): TheirType | undefined {
  const name = text.trim().toLowerCase();
  return types.find((one) => one.externalId === text.trim()) ?? types.find((one) => one.name.toLowerCase() === name);
}

const OWN = "";

function TypeChoice({ type, value, onChange, found }: Props) {
  const types = (found.data?.types ?? []).filter((one) => one.externalId !== null);
  const current = value ? (typeNamed(types, value.objectType)?.name ?? value.objectType) : OWN;
  const names = types.map((one) => one.name);
  const known = current === OWN || names.includes(current) ? names : [current, ...names];
  const proposal = (name: string) => found.data?.proposals.find((one) => one.objectType === type && one.existing.objectType === name)?.existing;
  return (
    <Select
      label="Object type in Assets"
      pointer={`/objects/${type}/existing/objectType`}
      value={current}
      onChange={(name) => onChange(name === OWN ? null : (proposal(name) ?? { objectType: name, identity: value?.identity ?? "", attributes: {} }))}
      options={[[OWN, "One that the import builds"], ...known.map((name): [string, string] => [name, name])]}
      help={types.length === 0 ? "The object schema of the import source has no object type that an import can fill." : undefined}
    />
  );
}

/** Attributes that Assets itself fills. */
const OWN_OF_ASSETS = ["key", "created", "updated"];

function Mapping({ type, value, onChange, attributes, found }: Props & { value: Existing }) {
  const inAssets = typeNamed(found.data?.types ?? [], value.objectType)?.attributes ?? [];
  const theirs = inAssets.filter((one) => one.externalId !== null && !OWN_OF_ASSETS.includes(one.name.toLowerCase()));
  const nameOf = (key: string) => attributes.find((one) => one.key === key)?.name ?? key;
  const mapped = Object.keys(value.attributes).sort((a, b) => nameOf(a).localeCompare(nameOf(b)));
  const write = (changed: Existing["attributes"]) => onChange({ ...value, attributes: changed });
  const without = (gone: string) => Object.fromEntries(Object.entries(value.attributes).filter(([key]) => key !== gone));
  const isTaken = (name: string) => Object.values(value.attributes).includes(name);
  const untouched = theirs.filter((one) => !isTaken(one.name) && !isTaken(one.externalId ?? "")).map((one) => one.name);
  const keys: [string, string][] = mapped.map((key) => [key, nameOf(key)]);
  return (
    <div className="stack">
      <div className="stack tight" role="group" aria-label="What is written where">
        {mapped.map((key) => (
          <div className="comparison" key={key}>
            <Select
              label={nameOf(key)}
              pointer={`/objects/${type}/existing/attributes/${key}`}
              value={theirName(value.attributes[key] ?? "", theirs)}
              onChange={(name) => write({ ...value.attributes, [key]: name })}
              options={[["", "Choose an attribute"], ...offered(value.attributes[key] ?? "", theirs)]}
            />
            <Button kind="quiet" label={`Do not write ${nameOf(key)}`} onClick={() => write(without(key))}>
              <span aria-hidden="true">×</span>
            </Button>
          </div>
        ))}
      </div>
      <Select label="Write another attribute" value="" onChange={(key) => key !== "" && write({ ...value.attributes, [key]: "" })} options={[["", "Choose what Entra has"], ...attributes.filter((one) => !(one.key in value.attributes)).map((one): [string, string] => [one.key, one.name])]} />
      <TenantAttribute type={type} onAdd={(key) => write({ [key]: "", ...value.attributes })} />
      <div className="grid2">
        <Select label="Objects are recognised by" pointer={`/objects/${type}/existing/identity`} value={value.identity} onChange={(identity) => onChange({ ...value, identity })} options={[...(mapped.includes(value.identity) ? [] : [[value.identity, value.identity === "" ? "Choose one" : nameOf(value.identity)] as [string, string]]), ...keys]} help="The object id never changes. Names and addresses can." />
        <Select
          label="Or, once, by"
          pointer={`/objects/${type}/existing/matchBy`}
          value={value.matchBy ?? ""}
          onChange={(by) => onChange({ ...value, matchBy: by === "" ? null : by })}
          options={[["", "Nothing else"], ...keys.filter(([key]) => key !== value.identity)]}
          help="For objects that have no id yet. The id is then written into them, after your approval. The destination needs its object API."
        />
      </div>
      {untouched.length > 0 && <p className="subtle">Never touched: {untouched.join(", ")}.</p>}
    </div>
  );
}

type Theirs = Schema<"SchemaAttribute">[];
const theirName = (name: string, theirs: Theirs) => theirs.find((one) => one.externalId === name)?.name ?? name;

/** What Assets has, and what is written down even if Assets does not have it any more. */
function offered(name: string, theirs: Theirs): [string, string][] {
  const current = theirName(name, theirs);
  const names = theirs.map((one): [string, string] => [one.name, `${one.name} (${kindText(one)})`]);
  return current === "" || theirs.some((one) => one.name === current) ? names : [[current, `${current} (not in Assets)`], ...names];
}

const kindText = (one: Theirs[number]) => (one.refersTo ? `refers to ${one.refersTo}` : one.type.replaceAll("_", " "));
