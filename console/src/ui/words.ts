/** Words for values of the API. A value that is newer than this console is shown as its own words. */

/** A text as it begins a sentence. */
export const sentence = (text: string) => text.replace(/^./, (first) => first.toUpperCase());

/** `administrativeUnits` as «Administrative units». */
export const wordsOf = (key: string) => sentence(key.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`));

const TYPES: Record<string, string> = { licenses: "Licences", intuneDevices: "Intune devices", appCredentials: "Secrets and certificates of applications" };

export const typeName = (type: string) => TYPES[type] ?? wordsOf(type);

const REASONS: Record<string, string> = {
  new: "new in Entra",
  changed: "changed in Entra",
  references: "other references",
  mapping: "other settings of the import",
  deleted: "deleted in Entra",
  softDeleted: "in Entra’s recycle bin",
  outOfScope: "no longer matches the filter",
  seenAgain: "back in Entra",
  sameIdentity: "same identity in Assets",
  sameProperty: "same value in Assets, without an identity yet",
  severalInAssets: "several objects in Assets have this value",
  severalInDirectory: "several objects in Entra have this value",
  otherIdentity: "the object in Assets has another identity",
  noIdentity: "no value for the identity",
};

export const reasonText = (reason: string) => REASONS[reason] ?? wordsOf(reason).toLowerCase();

/** How much of a long text is shown. */
export const MOST = 300;

/** What is shown of a text. */
export const excerpt = (text: string, from = 0) => `${from > 0 ? "…" : ""}${text.slice(from, from + MOST)}${text.length > from + MOST ? "…" : ""}`;

/** A value of an object, in full; "" for none. */
export function valueText(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (Array.isArray(value)) return value.map(valueText).join(", ");
  if (typeof value === "boolean") return value ? "Yes" : "No";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** `userPrincipalName` as «User Principal Name», as the attributes in Assets are called. */
export const attributeText = (key: string) => sentence(key.replace(/([a-z])([A-Z])/g, "$1 $2"));
