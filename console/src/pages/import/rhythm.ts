/** A schedule as people think of it, and as cron has it. */
import type { Schema } from "../../api/client";

export type Every = "never" | "hour" | "day" | "week" | "custom";
export type Rhythm = { every: Every; time: string; weekday: string; cron: string; timezone: string; mode: Schema<"ScheduleMode">; enabled: boolean };

export const WEEKDAYS: [string, string][] = [
  ["1", "Monday"],
  ["2", "Tuesday"],
  ["3", "Wednesday"],
  ["4", "Thursday"],
  ["5", "Friday"],
  ["6", "Saturday"],
  ["0", "Sunday"],
];

const ownTimezone = () => Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
const two = (text: string | undefined) => (text ?? "0").padStart(2, "0");

export function rhythmOf(schedule: Schema<"ScheduleResponse"> | null): Rhythm {
  const rhythm: Rhythm = {
    every: "never",
    time: "06:30",
    weekday: "1",
    cron: schedule?.cron ?? "30 6 * * *",
    timezone: schedule?.timezone ?? ownTimezone(),
    mode: schedule?.mode ?? "incremental",
    enabled: schedule?.enabled ?? true,
  };
  if (!schedule) return rhythm;
  const daily = /^(\d{1,2}) (\d{1,2}) \* \* (\*|[0-6])$/.exec(schedule.cron);
  if (daily) {
    const [, minute, hour, weekday = "*"] = daily;
    return { ...rhythm, every: weekday === "*" ? "day" : "week", time: `${two(hour)}:${two(minute)}`, weekday: weekday === "*" ? "1" : weekday };
  }
  const hourly = /^(\d{1,2}) \* \* \* \*$/.exec(schedule.cron);
  if (hourly) return { ...rhythm, every: "hour", time: `00:${two(hourly[1])}` };
  return { ...rhythm, every: "custom" };
}

export function cronOf(rhythm: Rhythm): Schema<"JobSchedule"> | null {
  const [hour = 0, minute = 0] = rhythm.time.split(":").map(Number);
  const crons: Record<Exclude<Every, "never">, string> = {
    hour: `${minute} * * * *`,
    day: `${minute} ${hour} * * *`,
    week: `${minute} ${hour} * * ${rhythm.weekday}`,
    custom: rhythm.cron.trim(),
  };
  if (rhythm.every === "never") return null;
  return { cron: crons[rhythm.every], timezone: rhythm.timezone, mode: rhythm.mode, enabled: rhythm.enabled };
}
