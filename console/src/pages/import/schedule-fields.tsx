/** When an import runs on its own. */
import { Checkbox, Radios, Select, TextField } from "../../ui/form";
import { Card } from "../../ui/parts";
import { type Every, type Rhythm, type Times, WEEKDAYS } from "./rhythm";

/** `paused`: the schedule is paused now. */
export function ScheduleFields({ rhythm, paused, set }: { rhythm: Rhythm; paused: boolean; set: (rhythm: Rhythm) => void }) {
  const change = (part: Partial<Rhythm>) => set({ ...rhythm, ...part });
  const timezones = Intl.supportedValuesOf("timeZone");
  const known = timezones.includes(rhythm.timezone) ? timezones : [rhythm.timezone, ...timezones];
  return (
    <Card title="Schedule">
      <div className="stack">
        {paused && <p className="small subtle">The schedule is paused. A change of it lets it go on.</p>}
        <TimesFields label="Runs" never="By hand only" pointer="/schedule/cron" times={rhythm} onChange={change} />
        {rhythm.every !== "never" && (
          <>
            <Select label="Time zone" pointer="/schedule/timezone" value={rhythm.timezone} onChange={(timezone) => change({ timezone })} options={known.map((one) => [one, one])} />
            <Radios
              label="Each run reads"
              pointer="/schedule/mode"
              value={rhythm.mode}
              onChange={(mode) => change({ mode })}
              options={[
                { value: "incremental", label: "What changed", help: "Quick. Everything is read again now and then, to correct differences." },
                { value: "full", label: "Everything" },
              ]}
            />
            <TimesFields label="Besides, everything is read" never={rhythm.mode === "full" ? "At no other time" : "Only now and then, by itself"} pointer="/schedule/fullCron" times={rhythm.full} onChange={(part) => change({ full: { ...rhythm.full, ...part } })} />
            <div className="grid2">
              <TextField label="Repeat a failed run, at most so often" type="number" min={0} max={5} pointer="/schedule/retry/attempts" value={rhythm.retryAttempts} onChange={(retryAttempts) => change({ retryAttempts })} />
              {Number(rhythm.retryAttempts) > 0 && <TextField label="Each time after so many minutes" type="number" min={1} max={1440} pointer="/schedule/retry/afterMinutes" value={rhythm.retryMinutes} onChange={(retryMinutes) => change({ retryMinutes })} />}
            </div>
            <Checkbox label="Switched on" checked={rhythm.enabled} onChange={(enabled) => change({ enabled })} />
          </>
        )}
      </div>
    </Card>
  );
}

type TimesProps = { label: string; never: string; pointer: string; times: Times; onChange: (part: Partial<Times>) => void };

function TimesFields({ label, never, pointer, times, onChange }: TimesProps) {
  return (
    <>
      <Select<Every>
        label={label}
        value={times.every}
        onChange={(every) => onChange({ every })}
        options={[
          ["never", never],
          ["hour", "Every hour"],
          ["day", "Every day"],
          ["week", "Every week"],
          ["custom", "By a cron expression"],
        ]}
      />
      {times.every === "week" && <Select label="On" value={times.weekday} onChange={(weekday) => onChange({ weekday })} options={WEEKDAYS} />}
      {(times.every === "day" || times.every === "week") && <TextField label="At" type="time" value={times.time} onChange={(time) => onChange({ time })} pointer={pointer} />}
      {times.every === "custom" && <TextField label="Cron expression" code pointer={pointer} value={times.cron} onChange={(cron) => onChange({ cron })} help="Minute, hour, day of month, month, day of week." />}
    </>
  );
}
