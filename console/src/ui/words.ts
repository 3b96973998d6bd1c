/** Words for values of the API. A value that is newer than this console is shown as its own words. */

/** `administrativeUnits` as «Administrative units». */
export const wordsOf = (key: string) => key.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).replace(/^./, (first) => first.toUpperCase());

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

const MOST = 300;

/** A value of an object; "" for none. */
export function valueText(value: unknown): string {
  if (value === null || value === undefined) return "";
  const text = Array.isArray(value) ? value.map(valueText).join(", ") : typeof value === "object" ? JSON.stringify(value) : value === true ? "Yes" : value === false ? "No" : String(value);
  return text.length > MOST ? `${text.slice(0, MOST)}…` : text;
}

/** `userPrincipalName` as «User Principal Name», as the attributes in Assets are called. */
export const attributeText = (key: string) => key.replace(/([a-z])([A-Z])/g, "$1 $2").replace(/^./, (first) => first.toUpperCase());
