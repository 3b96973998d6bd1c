/** The fields of the filter form, and the bodies that they make. */
import type { Schema } from "../../api/client";

type Filter = Schema<"FilterResponse">;
export type Kind = Schema<"EntityKind">;
export const KINDS: Kind[] = ["users", "groups", "devices"];

export type Draft = {
  name: string;
  text: Record<Kind, string>;
  scopeUsers: Schema<"ScopeUsers">;
  scopeGroups: Schema<"ScopeGroups">;
  transitive: boolean;
  groupIds: string;
  excludeUsers: string;
  excludeGroups: string;
  maxUsers: string;
  maxGroups: string;
  outside: Schema<"Outside">;
};

/** `texts` are the conditions as text, also of those that were written as a tree. */
export function draftOf(filter: Filter | undefined, texts: Partial<Record<Kind, string>>): Draft {
  return {
    name: filter?.name ?? "",
    text: { users: texts.users ?? "", groups: texts.groups ?? "", devices: texts.devices ?? "" },
    scopeUsers: filter?.scope.users ?? "all",
    scopeGroups: filter?.scope.groups ?? "all",
    transitive: filter?.scope.transitive ?? true,
    groupIds: (filter?.scope.groupIds ?? []).join("\n"),
    excludeUsers: lines(filter?.exclude.userIds, filter?.exclude.userNames),
    excludeGroups: lines(filter?.exclude.groupIds, filter?.exclude.groupNames),
    maxUsers: filter?.limits.maxUsers?.toString() ?? "",
    maxGroups: filter?.limits.maxGroups?.toString() ?? "",
    outside: filter?.outside ?? "drop",
  };
}

const lines = (...lists: (string[] | undefined)[]) => lists.flatMap((list) => list ?? []).join("\n");
const entries = (text: string) => text.split(/[\n,;]+/).map((line) => line.trim()).filter(Boolean);
const GUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const wholeNumber = (text: string) => (text.trim() === "" ? null : Number(text));

/** What is written in a field goes to the list for ids or to that for names. */
function split(text: string): [ids: string[], names: string[]] {
  const all = entries(text);
  return [all.filter((one) => GUID.test(one)), all.filter((one) => !GUID.test(one))];
}

/** The conditions and everything else, without the name. A condition that was not edited stays as it was stored. */
export function rulesOf(draft: Draft, stored?: Filter, texts?: Partial<Record<Kind, string>>) {
  const rule = (kind: Kind): Schema<"RuleBody"> | null => {
    const text = draft.text[kind];
    if (text.trim() === "") return null;
    const before = stored?.[kind];
    return before?.where && !before.odata && texts?.[kind] === text ? { where: before.where } : { odata: text };
  };
  const [userIds, userNames] = split(draft.excludeUsers);
  const [groupIds, groupNames] = split(draft.excludeGroups);
  return {
    users: rule("users"),
    groups: rule("groups"),
    devices: rule("devices"),
    scope: {
      users: draft.scopeUsers,
      groups: draft.scopeGroups,
      transitive: draft.transitive,
      groupIds: draft.scopeUsers === "membersOf" ? entries(draft.groupIds) : [],
    },
    exclude: { userIds, userNames, groupIds, groupNames },
    limits: { maxUsers: wholeNumber(draft.maxUsers), maxGroups: wholeNumber(draft.maxGroups) },
    outside: draft.outside,
  };
}

/** A PATCH merges: what the text replaces has to be reset. */
export function changesOf(draft: Draft, stored: Filter, texts: Partial<Record<Kind, string>>) {
  const rules = rulesOf(draft, stored, texts);
  const change = (rule: Schema<"RuleBody"> | null) => (rule ? { odata: rule.odata ?? null, where: rule.where ?? null } : null);
  return { ...rules, users: change(rules.users), groups: change(rules.groups), devices: change(rules.devices) };
}
