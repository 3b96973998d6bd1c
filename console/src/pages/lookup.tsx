/** Finds objects of a tenant as somebody types a name, so that one can be picked. */
import { answer, api, type Schema } from "../api/client";
import { useQuery, useSettled } from "../api/use";
import { TextField } from "../ui/form";
import { type Kind, KIND_NAMES, ONE } from "../ui/kinds";
import { Button, Failure, Loading } from "../ui/parts";

export type Match = Schema<"DirectoryMatch">;

/** What a kind is found by besides its name and object id. */
const ALSO: Partial<Record<Kind, string>> = { users: ", sign-in name, mail address", groups: ", mail address" };

type Props = {
  connectionId: string;
  kind: Kind;
  search: string;
  onSearch: (search: string) => void;
  onPick: (match: Match) => void;
  label?: string;
  help?: string;
  /** The ids that are picked already. */
  except?: string[];
};

export function Lookup({ connectionId, kind, search, onSearch, onPick, label, help, except = [] }: Props) {
  const wanted = useSettled(search.trim(), 300);
  const found = useQuery(wanted !== "" && connectionId !== "" ? `lookup ${connectionId} ${kind} ${wanted}` : null, (signal) => lookUp(connectionId, kind, wanted, signal));
  return (
    <div className="stack tight">
      <TextField label={label ?? `Find ${ONE[kind]}`} value={search} onChange={onSearch} placeholder={`Name${ALSO[kind] ?? ""} or object id`} help={help} />
      {found.loading && <Loading what="Asking Microsoft Graph" />}
      <Failure error={found.error} />
      {found.data && search !== "" && (
        <ul className="stack tight" aria-label={`${KIND_NAMES[kind]} found`}>
          {found.data.items
            .filter((one) => !except.includes(one.id))
            .map((one) => (
              <li key={one.id}>
                <Button icon="plus" onClick={() => onPick(one)}>
                  {one.displayName ?? one.id}
                </Button>{" "}
                <span className="small subtle break">{one.userPrincipalName ?? one.mail ?? one.operatingSystem ?? one.description}</span>
              </li>
            ))}
          {found.data.items.length === 0 && <li className="subtle">{found.data.partial ? "Microsoft Graph did not answer in time. Write more of the name." : `No name of ${ONE[kind]} begins like this.`}</li>}
          {found.data.more && <li className="subtle">There are more. Write more of the name.</li>}
        </ul>
      )}
    </div>
  );
}

export const lookUp = (connectionId: string, kind: Kind, search: string, signal: AbortSignal) => answer(api.POST("/v1/directory-lookups", { body: { connectionId, kind, search }, signal }));
