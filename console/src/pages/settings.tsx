import { Head } from "../ui/parts";
export function SettingsPages(_: { path: string[] }) { return <Head title="settings" />; }
