/** Filter: which objects of the directory are imported. */
import { all, answer, api, type Schema } from "../api/client";
import { useQuery } from "../api/use";
import { href } from "../route";
import { KIND_NAMES, KINDS } from "../ui/kinds";
import { Empty, Failure, Head, LinkButton, Loading, Table } from "../ui/parts";
import { Moment } from "../ui/time";
import { FilterEditor } from "./filter/editor";
import { whereText } from "./filter/form/words";
import { Explain } from "./import/explain";

type Filter = Schema<"FilterResponse">;

export const loadFilters = (signal: AbortSignal) => all((cursor) => answer(api.GET("/v1/filters", { params: { query: { limit: 200, cursor } }, signal })));

export function FilterPages({ path: [id] }: { path: string[] }) {
  if (id === "new") return <NewFilter />;
  if (id !== undefined) return <FilterPage id={id} key={id} />;
  return <Filters />;
}

function Filters() {
  const filters = useQuery("filters", loadFilters);
  return (
    <>
      <Head title="Filter" intro="Which objects of the directory are imported. An import without a filter takes everything.">
        {filters.data && filters.data.length > 0 && <LinkButton to="/destination">Next: destination</LinkButton>}
        <LinkButton to="/filter/new" kind="primary" icon="plus">
          Create a filter
        </LinkButton>
      </Head>
      <Failure error={filters.error} />
      {filters.loading && <Loading />}
      {filters.data?.length === 0 && (
        <Empty icon="filter" title="No filter yet" action={<LinkButton to="/filter/new">Create a filter</LinkButton>}>
          Filters are optional. They use the syntax of Microsoft Graph, for example <code>accountEnabled eq true</code>, and show at once whom they take.
        </Empty>
      )}
      {filters.data && filters.data.length > 0 && (
        <div className="card">
          <Table label="Filters" head={["Name", "Conditions", "Changed"]}>
            {filters.data.map((one) => (
              <tr key={one.id} className="linked">
                <td>
                  <a href={href(`/filter/${one.id}`)}>{one.name}</a>
                </td>
                <td>
                  <ul className="stack tight">
                    {conditions(one).map((text) => (
                      <li key={text} className="break">
                        {text}
                      </li>
                    ))}
                  </ul>
                </td>
                <td>
                  <Moment at={one.updatedAt} />
                </td>
              </tr>
            ))}
          </Table>
        </div>
      )}
    </>
  );
}

/** A filter in words. */
export function conditions(filter: Filter): string[] {
  const texts = KINDS.flatMap((kind) => {
    const rule = filter[kind];
    return rule ? [`${KIND_NAMES[kind]}: ${rule.odata ?? (rule.where ? whereText(rule.where) : "")}`] : [];
  });
  const { users, groups, groupIds = [] } = filter.scope;
  if (users === "membersOf") texts.push(`Users in ${groupIds.length} chosen group${groupIds.length === 1 ? "" : "s"}`);
  if (users === "membersOfFilteredGroups") texts.push("Users in the groups that are imported");
  if (groups === "containingFilteredUsers") texts.push("Groups that contain an imported user");
  if (filter.limits.maxUsers) texts.push(`At most ${filter.limits.maxUsers} users`);
  if (filter.limits.maxGroups) texts.push(`At most ${filter.limits.maxGroups} groups`);
  return texts.length > 0 ? texts : ["Everything"];
}

function NewFilter() {
  return (
    <>
      <Head title="Create a filter" crumbs={{ to: "/filter", text: "Filter" }} intro="Leave a field empty to import everything of its kind." />
      <FilterEditor />
    </>
  );
}

function FilterPage({ id }: { id: string }) {
  const filter = useQuery(`filter ${id}`, (signal) => answer(api.GET("/v1/filters/{id}", { params: { path: { id } }, signal })));
  if (!filter.data) return filter.error ? <Failure error={filter.error} /> : <Loading />;
  return (
    <>
      <Head title={filter.data.name} crumbs={{ to: "/filter", text: "Filter" }} />
      <div className="stack loose">
        <FilterEditor filter={filter.data} key={filter.data.version} onSaved={filter.reload} />
        <ExplainFilter id={id} />
      </div>
    </>
  );
}

/** Asks the imports that use the filter. */
function ExplainFilter({ id }: { id: string }) {
  const jobs = useQuery(`jobs of filter ${id}`, (signal) => answer(api.GET("/v1/jobs", { params: { query: { filterId: id, limit: 50 } }, signal })));
  if (!jobs.data || jobs.data.items.length === 0) return <Failure error={jobs.error} />;
  return <Explain jobs={jobs.data.items} />;
}
