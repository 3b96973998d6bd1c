/** The fields of the form of an import, and the bodies that they make. */
import type { Schema } from "../../api/client";
import { type Rhythm, rhythmOf, scheduleOf } from "./rhythm";

type Job = Schema<"JobResponse">;
export type ObjectType = Schema<"ObjectType">;
/** An object type that Assets has already, and what is written into it. */
export type Existing = Schema<"ExistingType">;
/** A reference to objects that Assets has, and what finds them. */
export type Lookup = Schema<"Lookup">;
type Selection = NonNullable<Schema<"UpdateJobObjects">[ObjectType]>;
/** Imported unless somebody says otherwise. */
const USUAL: ObjectType[] = ["users", "groups", "licenses"];

export type Draft = {
  name: string;
  connectionId: string;
  filterId: string;
  destinationId: string;
  /** What differs from how the job is stored. */
  enabled: Partial<Record<ObjectType, boolean>>;
  /** The chosen attributes, where they were changed; null: the defaults. */
  attributes: Partial<Record<ObjectType, string[] | null>>;
  /** The chosen references, where they were changed; null: the defaults. */
  references: Partial<Record<ObjectType, string[] | null>>;
  /** The object types in Assets that are filled, where that was changed; null: the import builds its own. */
  existing: Partial<Record<ObjectType, Existing | null>>;
  /** Names of object types that the import builds, where they were changed. */
  typeNames: Partial<Record<ObjectType, string>>;
  /** Names in Assets of attributes that the import builds, by key, where they were changed. */
  names: Partial<Record<ObjectType, Record<string, string>>>;
  /** References to other objects in Assets, where they were changed. */
  lookups: Partial<Record<ObjectType, Lookup[]>>;
  /** What is said of the Jira accounts of users, where it was changed. */
  accounts: Partial<Accounts>;
  memberships: Schema<"Memberships">;
  deliver: Schema<"Deliver">;
  policy: Schema<"RemovalPolicy">;
  afterMissingRuns: string;
  brakePercent: string;
  rhythm: Rhythm;
};

export type Accounts = { jiraUser: boolean; jiraUserAttribute: string };

export type Set = <K extends keyof Draft>(name: K) => (value: Draft[K]) => void;

export function draftOf(job?: Job): Draft {
  return {
    name: job?.name ?? "",
    connectionId: job?.connectionId ?? "",
    filterId: job?.filterId ?? "",
    destinationId: job?.destinationId ?? "",
    enabled: {},
    attributes: {},
    references: {},
    existing: {},
    typeNames: {},
    names: {},
    lookups: {},
    accounts: {},
    memberships: job?.memberships ?? "onUser",
    deliver: job?.deliver ?? "full",
    policy: job?.removal.policy ?? "keep",
    afterMissingRuns: String(job?.removal.afterMissingRuns ?? 3),
    brakePercent: String(job?.removal.brakePercent ?? 20),
    rhythm: rhythmOf(job?.schedule ?? null),
  };
}

export function bodyOf(draft: Draft, job?: Job) {
  const schedule = scheduleOf(draft.rhythm);
  const stored = scheduleOf(rhythmOf(job?.schedule ?? null));
  return {
    name: draft.name.trim(),
    connectionId: draft.connectionId,
    filterId: draft.filterId || null,
    destinationId: draft.destinationId || null,
    objects: objectsOf(draft, job),
    memberships: draft.memberships,
    deliver: draft.deliver,
    removal: { policy: draft.policy, afterMissingRuns: Number(draft.afterMissingRuns), brakePercent: Number(draft.brakePercent) },
    // A schedule that is named begins again and is no longer paused.
    ...(JSON.stringify(schedule) !== JSON.stringify(stored) && { schedule }),
  };
}

export const isEnabled = (type: ObjectType, draft: Draft, job?: Job) => draft.enabled[type] ?? job?.objects[type]?.enabled ?? USUAL.includes(type);

type Known = Pick<Schema<"AttributeResponse">, "objectType" | "key" | "assetsType" | "presence">;
export const isReference = (one: Known) => one.assetsType === "referenced_object";
/** `memberships` of the job decides about these. */
const BY_MEMBERSHIPS: Partial<Record<ObjectType, string>> = { users: "groups", groups: "members" };
export const isByMemberships = (one: Known) => one.key === BY_MEMBERSHIPS[one.objectType];
/** What is imported of a type; null: the defaults. */
export type Choice = { attributes: string[] | null; references: string[] | null };

/** Each in its own list. The service takes a reference that `attributes` names beside `references`. */
export function choiceOf(type: ObjectType, draft: Draft, job: Job | undefined, known: Known[]): Choice {
  const stored = job?.objects[type];
  const attributes = type in draft.attributes ? (draft.attributes[type] ?? null) : (stored?.attributes ?? null);
  const references = type in draft.references ? (draft.references[type] ?? null) : (stored?.references ?? null);
  const links = known.filter((one) => isReference(one));
  const named = links.filter((one) => attributes?.includes(one.key));
  const basis = references ?? links.filter((one) => one.presence === "default" && !isByMemberships(one)).map((one) => one.key);
  const further = named.filter((one) => !basis.includes(one.key) && !isByMemberships(one)).map((one) => one.key);
  return { attributes: attributes?.filter((key) => !links.some((one) => one.key === key)) ?? null, references: further.length > 0 ? [...basis, ...further] : references };
}

export const existingOf = (type: ObjectType, draft: Draft, job?: Job): Existing | null => (type in draft.existing ? (draft.existing[type] ?? null) : (job?.objects[type]?.existing ?? null));
export const lookupsOf = (type: ObjectType, draft: Draft, job?: Job): Lookup[] => draft.lookups[type] ?? job?.objects[type]?.lookups ?? [];
export const accountsOf = (draft: Draft, job?: Job): Accounts => ({ jiraUser: job?.objects.users?.jiraUser ?? false, jiraUserAttribute: job?.objects.users?.jiraUserAttribute ?? "", ...draft.accounts });
export const namesOf = (type: ObjectType, draft: Draft, job?: Job) => draft.names[type] ?? job?.objects[type]?.names ?? {};
export const typeNameOf = (type: ObjectType, draft: Draft, job?: Job) => draft.typeNames[type] ?? job?.objects[type]?.typeName ?? "";

/** Only what was changed: the rest stays as it is stored, also what this console does not know. */
function objectsOf(draft: Draft, job: Job | undefined) {
  const changed = new Set([draft.enabled, draft.attributes, draft.references, draft.existing, draft.typeNames, draft.names, draft.lookups].flatMap((part) => Object.keys(part) as ObjectType[]));
  if (Object.keys(draft.accounts).length > 0) changed.add("users");
  return Object.fromEntries([...changed].map((type) => [type, { ...partOf(type, draft, job), ...lookupsIn(draft.lookups[type]), ...(type === "users" && accountsIn(draft)) }]));
}

const lookupsIn = (lookups: Lookup[] | undefined) => lookups && { lookups: lookups.map((one) => ({ ...one, by: one.by ?? null, name: one.name?.trim() || null })) };
const accountsIn = ({ accounts: { jiraUserAttribute, ...accounts } }: Draft) => ({ ...accounts, ...(jiraUserAttribute !== undefined && { jiraUserAttribute: jiraUserAttribute.trim() || null }) });

function partOf(type: ObjectType, draft: Draft, job: Job | undefined): Selection {
  const stored = job?.objects[type];
  const existing = existingOf(type, draft, job);
  const enabled = type in draft.enabled && { enabled: draft.enabled[type] };
  if (existing) {
    // An object type that is there has its own attributes and names: what was said of one to build is taken back.
    const names = Object.fromEntries(Object.keys(stored?.names ?? {}).map((key) => [key, null]));
    const reset = job && { attributes: null, references: null, typeName: null, ...(Object.keys(names).length > 0 && { names }) };
    return { ...enabled, ...reset, ...(type in draft.existing && { existing: replaced(existing, stored?.existing) }) };
  }
  return {
    ...enabled,
    ...(type in draft.attributes && { attributes: draft.attributes[type] ?? null }),
    ...(type in draft.references && { references: draft.references[type] ?? null }),
    ...(type in draft.typeNames && { typeName: draft.typeNames[type]?.trim() || null }),
    ...(type in draft.names && { names: renamed(draft.names[type] ?? {}, stored?.names ?? {}) }),
    ...(job && type in draft.existing && { existing: null }),
  };
}

/** A PATCH merges: names that are no longer given have to be taken out. */
function renamed(names: Record<string, string>, stored: Record<string, string>): Record<string, string | null> {
  const given = Object.entries(names).flatMap(([key, name]) => (name.trim() === "" ? [] : [[key, name.trim()] as const]));
  return { ...Object.fromEntries(Object.keys(stored).map((key) => [key, null])), ...Object.fromEntries(given) };
}

/** A PATCH merges: attributes that are no longer written have to be taken out. */
function replaced(existing: Existing, stored: Existing | null | undefined): Schema<"UpdateExistingType"> {
  if (!stored) return existing;
  const gone = Object.keys(stored.attributes).filter((key) => !(key in existing.attributes));
  return { ...existing, matchBy: existing.matchBy ?? null, attributes: { ...existing.attributes, ...Object.fromEntries(gone.map((key) => [key, null])) } };
}
