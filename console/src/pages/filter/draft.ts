/** The fields of the filter form, and the bodies that they make. */
import type { Schema } from "../../api/client";
import { byKind, type Kind, KINDS } from "../../ui/kinds";
import { emptyGroup, formOf, type Group, spelled, treeOf } from "./form/model";

type Filter = Schema<"FilterResponse">;

/** A condition is written as a text or as a form. `same`: a text and a tree that say the same, so that changing between them changes nothing. */
export type Condition = { isForm: boolean; text: string; form: Group; same?: { text: string; where: string } };

export type Draft = {
  name: string;
  conditions: Record<Kind, Condition>;
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

/** A condition that is stored as a tree is shown as a form. */
function conditionOf(rule: Schema<"RuleBody"> | null | undefined): Condition {
  if (rule?.where && !rule.odata) return { isForm: true, text: "", form: formOf(rule.where) };
  return { isForm: false, text: rule?.odata ?? "", form: emptyGroup() };
}

export function draftOf(filter: Filter | undefined): Draft {
  return {
    name: filter?.name ?? "",
    conditions: byKind((kind) => conditionOf(filter?.[kind])),
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

/** What is sent of a condition. One that is written otherwise but not changed stays as it was stored. */
function ruleOf({ isForm, text, form, same }: Condition, stored: Schema<"RuleBody"> | null | undefined): Schema<"RuleBody"> | null {
  if (!isForm && text.trim() === "") return null;
  if (!isForm) return same?.text === text && stored?.where && spelled(stored.where) === same.where ? { where: stored.where } : { odata: text };
  const { where } = treeOf(form);
  if (where === null) return null;
  return same && stored?.odata === same.text && JSON.stringify(where) === same.where ? { odata: same.text } : { where };
}

/** Whether nothing is said of a kind. */
export const isEmpty = ({ isForm, text, form }: Condition) => (isForm ? form.parts.length === 0 : text.trim() === "");

/** Whether a form lacks a property or a value somewhere. */
export const isIncomplete = (draft: Draft) => KINDS.some((kind) => draft.conditions[kind].isForm && treeOf(draft.conditions[kind].form).incomplete.size > 0);

/** The conditions and everything else, without the name. */
export function rulesOf(draft: Draft, stored?: Filter) {
  const [userIds, userNames] = split(draft.excludeUsers);
  const [groupIds, groupNames] = split(draft.excludeGroups);
  return {
    ...byKind((kind) => ruleOf(draft.conditions[kind], stored?.[kind])),
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

/** A PATCH merges: what the new form of a condition replaces has to be reset. */
export function changesOf(draft: Draft, stored: Filter) {
  const rules = rulesOf(draft, stored);
  const change = (rule: Schema<"RuleBody"> | null) => (rule ? { odata: rule.odata ?? null, where: rule.where ?? null } : null);
  return { ...rules, ...byKind((kind) => change(rules[kind])) };
}
