/** Line icons on a grid of 16. */
const PATHS = {
  home: "M2.5 7.5 8 3l5.5 4.5V13a.5.5 0 0 1-.5.5H9.5v-4h-3v4H3a.5.5 0 0 1-.5-.5z",
  source: "M5.5 7a2.25 2.25 0 1 0 0-4.5A2.25 2.25 0 0 0 5.5 7M1.5 13.5a4 4 0 0 1 8 0M11 7a2 2 0 1 0-1-3.7M12 9.8a4 4 0 0 1 2.5 3.7",
  filter: "M2 3h12L9.5 8.5V13l-3-1.5v-3z",
  destination: "M2.5 4.5 8 2l5.5 2.5v7L8 14l-5.5-2.5zM2.5 4.5 8 7l5.5-2.5M8 7v7",
  import: "M2 8h9m0 0L7.5 4.5M11 8l-3.5 3.5M14 3v10",
  history: "M2.6 8a5.4 5.4 0 1 0 1.7-3.9L2.5 5.8M2.5 2.7v3.1h3.1M8 5v3.2l2.2 1.3",
  settings: "M2.5 4.5h6m3 0h2M2.5 11.5h2m3 0h6M8.5 4.5a1.5 1.5 0 1 0 3 0 1.5 1.5 0 1 0-3 0M4.5 11.5a1.5 1.5 0 1 0 3 0 1.5 1.5 0 1 0-3 0",
  link: "M9.5 2.5h4v4M13.5 2.5 7.5 8.5M6.5 3.5H3a.5.5 0 0 0-.5.5v9a.5.5 0 0 0 .5.5h9a.5.5 0 0 0 .5-.5V9.5",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  moon: "M13.5 9.5A5.8 5.8 0 0 1 6.5 2.5a5.8 5.8 0 1 0 7 7z",
  sun: "M8 10.8a2.8 2.8 0 1 0 0-5.6 2.8 2.8 0 0 0 0 5.6M8 1.2v1.6M8 13.2v1.6M1.2 8h1.6M13.2 8h1.6M3.2 3.2l1.1 1.1M11.7 11.7l1.1 1.1M3.2 12.8l1.1-1.1M11.7 4.3l1.1-1.1",
  information: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12M8 7.3v3.4M8 5.2v.1",
  success: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12M5.3 8.2l1.9 1.9 3.6-4",
  warning: "M8 2.3 14.3 13.2H1.7zM8 6.5v3.2M8 11.4v.1",
  danger: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12M5.8 5.8l4.4 4.4M10.2 5.8l-4.4 4.4",
  download: "M8 2.5v8m0 0 3-3m-3 3-3-3M2.5 13.5h11",
  plus: "M8 3v10M3 8h10",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 16 16" fill="none" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
