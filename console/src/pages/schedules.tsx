/** The schedules of all imports: when each runs next, and what is paused. */
import { useQuery } from "../api/use";
import { href } from "../route";
import { Card, Empty, Failure, LinkButton, Loading, Lozenge, Table } from "../ui/parts";
import { Moment } from "../ui/time";
import { loadJobs } from "./import";
import { pausedText, PauseButton, scheduleText } from "./import/schedule";

export function Schedules() {
  const jobs = useQuery("jobs", loadJobs);
  if (!jobs.data) return jobs.error ? <Failure error={jobs.error} /> : <Loading />;
  if (jobs.data.length === 0) return <NoImport />;
  const next = (at: string | null | undefined) => at ?? "9";
  const sorted = [...jobs.data].sort((a, b) => next(a.schedule?.nextRunAt).localeCompare(next(b.schedule?.nextRunAt)));
  return (
    <Card>
      <Table label="Schedules" head={["Import", "Runs", "Next", "Action"]}>
        {sorted.map((job) => (
          <tr key={job.id} className="linked">
            <td>
              <a href={href(`/import/${job.id}`)}>{job.name}</a>
            </td>
            <td>{job.schedule ? scheduleText(job.schedule) : <span className="subtle">By hand</span>}</td>
            <td>
              {job.schedule?.pausedReason ? <Lozenge tone="warning">{pausedText(job.schedule.pausedReason)}</Lozenge> : job.schedule && !job.schedule.enabled ? <Lozenge>Switched off</Lozenge> : <Moment at={job.schedule?.nextRunAt} />}
            </td>
            <td>
              <PauseButton job={job} onChanged={jobs.reload} />
            </td>
          </tr>
        ))}
      </Table>
    </Card>
  );
}

export function NoImport() {
  return (
    <Empty icon="import" title="No import yet" action={<LinkButton to="/import">Go to Import</LinkButton>}>
      Create an import first.
    </Empty>
  );
}
