/** Where the console does what the service advises in the words of its API. */
import { href } from "../route";

/** What is at hand where the advice is shown. */
export type Where = { runId?: string; jobId?: string; connectionId?: string; filterId?: string | null; destinationId?: string | null };

/** A name for people, and the address; none where what it needs is not known. */
type Place = (where: Where) => { text: string; path: string | null | undefined | false };

const DESTINATION: Place = ({ destinationId }) => ({ text: "Open the destination", path: destinationId && `/destination/${destinationId}` });
const SOURCE: Place = ({ connectionId }) => ({ text: "Open the source and check it", path: connectionId && `/source/${connectionId}` });
const FILTER: Place = ({ filterId }) => ({ text: "Open the filter", path: filterId && `/filter/${filterId}` });
const ofImport = (text: string, tab?: string): Place => ({ jobId }) => ({ text, path: jobId && `/import/${jobId}${tab ? `?tab=${tab}` : ""}` });
const BUILD = ofImport("Open the import, which builds them");
const SETTINGS = ofImport("Open the settings of the import", "settings");
const FIT = ofImport("See how to make it fit", "fit");
const ACCOUNTS = ofImport("See the Jira account of each user", "accounts");
const changes = (action: string): Place => ({ runId }) => ({ text: "Show them in the list of changes", path: runId && `/runs/${runId}?action=${action}` });

/** By the codes of warnings and errors of runs and of findings. */
export const PLACES: Record<string, Place> = {
  sign_in_activity_refused: SOURCE,
  capability_lost: SOURCE,
  memberships_unknown: SOURCE,
  connection_unusable: SOURCE,
  graph_forbidden: SOURCE,
  graph_unauthorized: SOURCE,
  tenant_changed: SOURCE,
  scope_group_unreadable: FILTER,
  scope_group_hidden: FILTER,
  filter_invalid: FILTER,
  values_hidden: SETTINGS,
  many_references: SETTINGS,
  lookups_ambiguous: SETTINGS,
  lookups_not_found: SETTINGS,
  jira_user_attribute_unfit: SETTINGS,
  existing_not_compared: DESTINATION,
  lookups_not_compared: DESTINATION,
  removal_needs_api: DESTINATION,
  not_cleared: DESTINATION,
  empty_values_differ: DESTINATION,
  references_not_resolved: DESTINATION,
  missing_objects_observed: DESTINATION,
  missing_objects_unknown: DESTINATION,
  test_would_remove: DESTINATION,
  object_api_failed: DESTINATION,
  jira_users_stopped: DESTINATION,
  jira_users_failed: ACCOUNTS,
  jira_users_without_account: ACCOUNTS,
  adoption_needs_approval: changes("matched"),
  objects_ambiguous: changes("ambiguous"),
  objects_unidentified: changes("unidentified"),
  many_objects: FIT,
  job_does_not_fit: FIT,
  assets_mapping_missing: BUILD,
  mapping_differs: BUILD,
  type_not_processed: BUILD,
};

/** The list of changes on the page of a run. */
export const CHANGES_ID = "changes";

export function PlaceLink({ code, where }: { code: string; where: Where }) {
  const place = PLACES[code]?.(where);
  if (!place?.path) return null;
  const isHere = place.path.startsWith("/runs/");
  return (
    <p>
      <a href={href(place.path)} onClick={() => isHere && document.getElementById(CHANGES_ID)?.focus()}>
        {place.text}
      </a>
    </p>
  );
}
