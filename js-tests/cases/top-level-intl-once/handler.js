// Used and let go of: nothing of it is left when a snapshot is taken.
const price = new Intl.NumberFormat("en", { minimumFractionDigits: 2 }).format(3);
const date = new Date(0).toLocaleDateString("en-US", { timeZone: "UTC" });
const sorted = ["b", "a"].sort((x, y) => x.localeCompare(y));

export const handler = () => ({ price, date, sorted, again: new Intl.NumberFormat("en").format(1e6) });
